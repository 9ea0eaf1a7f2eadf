"""Rounds of predictors whose speed is known: who takes part, in what order, and what the figure is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.measure.turns import Figures
from tests.measure.timed import OTHERS, SLOW_WORD, TEXTS, Clock, Known

SETTINGS = SpeedSettings(rounds=5, latency_texts=10, seconds=100, patience=2.0)


class Turning(Known):
    """One that notes its turns: a warm-up begins one."""

    def tokenize(self, texts: Sequence[str]):  # type: ignore[no-untyped-def]
        if tuple(texts) == tuple(OTHERS[:64]):
            self.turn += 1
            self.clock.log.append(self.name)
        return super().tokenize(texts)


class UntilRounds:
    """A contest that goes on among the first two until they have had so many rounds."""

    def __init__(self, rounds: int, goal: str = "throughput") -> None:
        self.rounds, self.goal = rounds, goal

    def undecided(self, figures: Sequence[Figures]) -> list[int]:
        return [0, 1] if len(getattr(figures[0], self.goal)) < self.rounds else []


def members(clock: Clock, count: int = 3) -> list[Turning]:
    return [Turning(clock, "abcdef"[i], 0.01 * (i + 1)) for i in range(count)]


def test_everybody_has_a_turn_in_each_round_in_changing_order():
    clock = Clock()
    measure_speed(members(clock), TEXTS, SETTINGS, others=OTHERS, clock=clock)
    rounds = [clock.log[i : i + 3] for i in range(0, len(clock.log), 3)]
    assert len(rounds) == 5 and all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1


def test_the_figure_is_the_median_of_the_rounds_and_not_the_best():
    clock = Clock()
    # One good round, one very bad one.
    one = Turning(clock, "a", 0.02, 0.001, 0.02, 0.02, 9.0)
    (speed,) = measure_speed([one], TEXTS, SETTINGS, others=OTHERS, clock=clock)
    usual, good = 1 / (0.02 + SLOW_WORD), 1 / (0.001 + SLOW_WORD)
    assert speed.throughput_per_second == speed.throughput_median == pytest.approx(usual)
    assert speed.rounds["throughput"]["2"] == pytest.approx(good) and len(speed.rounds["throughput"]) == 5
    assert speed.inference_per_second == pytest.approx(1 / 0.02)
    assert speed.latency_ms_p50 == pytest.approx(1000 * (0.02 + SLOW_WORD))


def test_slow_ones_skip_every_other_round_and_are_timed_on_as_many_single_texts():
    clock = Clock()
    fast, slow = measure_speed(members(clock, 2), TEXTS, SETTINGS, others=OTHERS, seldom=(1,), clock=clock)
    assert list(fast.rounds["throughput"]) == ["1", "2", "3", "4", "5"]
    assert list(slow.rounds["throughput"]) == ["1", "3", "5"]
    assert fast.latency_n == slow.latency_n == 10
    few = SpeedSettings(rounds=3, latency_texts=10, seconds=100)
    _, slow = measure_speed(members(clock, 2), TEXTS, few, others=OTHERS, seldom=(1,), clock=clock)
    assert len(slow.rounds["throughput"]) == 3, "a median of fewer would be none"


@pytest.mark.parametrize("goal", ["throughput", "latency"])
def test_further_rounds_go_on_among_those_in_question_until_it_is_sure(goal: str):
    clock = Clock()
    speeds = measure_speed(
        members(clock), TEXTS, SETTINGS, others=OTHERS, contest=UntilRounds(9, goal), clock=clock
    )  # fmt: skip
    assert [len(speed.rounds[goal]) for speed in speeds] == [9, 9, 5]
    assert set(clock.log[15:]) == {"a", "b"} and len(clock.log) == 15 + 4 * 2
    other = "latency" if goal == "throughput" else "throughput"
    assert [len(speed.rounds[other]) for speed in speeds] == [5, 5, 5]


@pytest.mark.parametrize("patience", [0.0, 1.0, 4.0])
def test_patience_ends(patience: float):
    clock = Clock()
    settings = SpeedSettings(rounds=1, latency_texts=10, seconds=100)
    measure_speed(members(clock), TEXTS, settings, others=OTHERS, clock=clock)
    first, clock.now = clock.now, 0.0
    settings = SpeedSettings(rounds=1, latency_texts=10, seconds=100, patience=patience)
    speeds = measure_speed(members(clock), TEXTS, settings, others=OTHERS, contest=UntilRounds(1000), clock=clock)
    counts = [len(speed.rounds["throughput"]) for speed in speeds]
    assert counts[0] == counts[1] and counts[2] == 1
    assert first <= clock.now <= first * (1 + patience)
    assert (counts[0] > 1) == (patience > 0)


def test_without_a_contest_there_are_no_further_rounds():
    clock = Clock()
    (speed,) = measure_speed(members(clock, 1), TEXTS, SETTINGS, others=OTHERS, clock=clock)
    assert len(speed.rounds["throughput"]) == 5
