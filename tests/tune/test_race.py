"""The race on runners of known speed, with a clock that only they move."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.tune.race import FINAL_ROUNDS, FINALISTS, Entrant, RaceResult, race


class Track:
    """Runners that take so many seconds a turn, with noise, on a machine that grows slower and slower."""

    def __init__(self, noise: float = 0.0, drift: float = 0.0, seed: int = 0) -> None:
        self.now, self.noise, self.drift = 0.0, noise, drift
        self.random = np.random.default_rng(seed)
        self.turns: list[str] = []

    def runner(self, name: str, seconds: float, group: str = "") -> Entrant:
        def run() -> float:
            took = seconds * float(np.exp(self.noise * self.random.standard_normal())) * (1 + self.drift * self.now)
            self.now += took
            self.turns.append(name)
            return 1000 * took

        return Entrant(name, run, group)

    def clock(self) -> float:
        return self.now


def test_the_fastest_wins_and_its_speedup_is_right():
    track = Track(noise=0.05, drift=0.02)
    runners = [track.runner(f"{i}", seconds) for i, seconds in enumerate(np.linspace(0.05, 0.2, 20))]
    verdict = race(track.runner("reference", 0.1), runners, seconds=60, clock=track.clock)
    assert verdict.finalists[0] is runners[0] and verdict.faster(runners[0])
    assert runners[0].speedup == pytest.approx(2, rel=0.1), "although the machine became several times slower"
    assert 0.01 <= verdict.noise < 0.1
    assert track.now == pytest.approx(60, rel=0.1)


def test_the_slow_get_a_short_look_only():
    track = Track(noise=0.02)
    runners = [track.runner(f"{i}", 0.05 + 0.02 * i) for i in range(16)]
    verdict = race(track.runner("reference", 0.1), runners, seconds=60, clock=track.clock)
    counts = [len(runner.figures) for runner in runners]
    assert counts[0] > 3 * counts[-1] and counts == sorted(counts, reverse=True)
    assert verdict.finalists == runners[:FINALISTS]
    assert all("slower than others" in runner.left for runner in runners[FINALISTS:])
    assert not any(runner.final for runner in runners[FINALISTS:])


def test_equals_are_not_called_faster():
    """In one of a hundred races among equals, at most a few may have a winner."""
    wins = 0
    for seed in range(100):
        track = Track(noise=0.1, seed=seed)
        runners = [track.runner(f"{i}", 0.1) for i in range(12)]
        verdict = race(track.runner("reference", 0.1), runners, seconds=20, clock=track.clock, seed=seed)
        wins += any(verdict.faster(runner) for runner in runners if runner.final)
    assert wins <= 5


def test_the_best_of_each_group_comes_to_the_final():
    track = Track()
    runners = [track.runner(f"{i}", 0.1 + 0.01 * i, group="quick") for i in range(12)]
    runners += [track.runner(f"slow {i}", 0.5 + 0.1 * i, group="slow") for i in range(3)]
    verdict = race(track.runner("reference", 0.1), runners, seconds=100, clock=track.clock)
    assert [finalist.name for finalist in verdict.finalists][-1] == "slow 0"
    assert verdict.finalists[-1].speedup == pytest.approx(0.2)


def test_every_round_has_everybody_once_in_changing_order():
    track = Track()
    reference, one, other = (track.runner(name, 0.1) for name in ("reference", "one", "other"))
    race(reference, [one, other], seconds=10, clock=track.clock)
    final = len(reference.final)
    before = track.turns[: -4 * final]
    rounds = [before[i : i + 3] for i in range(0, len(before), 3)]
    assert all(sorted(names) == ["one", "other", "reference"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 3
    assert len(one.final) == len(one.final_ratios) == final >= FINAL_ROUNDS


def test_without_runners_and_without_time_there_is_still_a_noise():
    track = Track(noise=0.1)
    verdict = race(track.runner("reference", 0.1), [], seconds=0, clock=track.clock)
    assert verdict.finalists == [] and verdict.rounds == FINAL_ROUNDS and verdict.noise >= 0.01


def test_faster_by_more_than_the_noise_is_not_enough_where_its_rounds_disagree():
    """Half of its rounds far ahead and half behind: the median says 1.4 times as fast, and nothing is sure."""
    torn = Entrant("torn", lambda: 0.0, final_ratios=[0.7, 0.8, 0.9, 1.4, 2.0, 2.1, 2.2])
    sure = Entrant("sure", lambda: 0.0, final_ratios=[1.35, 1.38, 1.39, 1.4, 1.41, 1.42, 1.45])
    verdict = RaceResult(0.02, 7, [torn, sure])
    assert torn.speedup == sure.speedup == 1.4
    assert not verdict.faster(torn) and verdict.faster(sure)
    assert not RaceResult(0.5, 7, [sure]).faster(sure), "sure, and yet within the noise"
