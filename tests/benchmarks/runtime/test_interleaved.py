"""Timing in turn, with a clock that only the runners move."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from benchmarks.runtime import interleaved
from benchmarks.runtime.interleaved import Runner, in_turn, row


class Clock:
    """Seconds that pass only when a runner says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return 2 * self.now  # two threads

    def sleep(self, seconds: float) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(interleaved, "time", clock)
    return clock


def runner(name: str, clock: Clock, seconds: Callable[[int], float], seen: list[tuple[str, list[str]]]) -> Runner:
    """Takes `seconds(texts)`; its tokenizer a tenth of that."""

    def run(texts: Sequence[str]) -> np.ndarray:
        seen.append((name, list(texts)))
        clock.now += seconds(len(texts))
        return np.zeros(len(texts))

    def tokenize(texts: Sequence[str]) -> None:
        clock.now += seconds(len(texts)) / 10

    return Runner(name, run, tokenize)


TEXTS = [f"text {i}" for i in range(500)]


def test_rates_are_texts_per_second_of_the_clock(clock: Clock):
    seen: list[tuple[str, list[str]]] = []
    fast, slow = runner("fast", clock, lambda n: n / 1000, seen), runner("slow", clock, lambda n: n / 100, seen)
    rates = in_turn([fast, slow], TEXTS, rounds=3, seconds=2.0)
    assert rates["fast"].per_second == pytest.approx((1000, 1000, 1000))
    assert rates["fast"].tokenizer_per_second == pytest.approx((10_000,) * 3)
    assert rates["fast"].texts == 500 and rates["fast"].cpu_ms == pytest.approx((2, 2, 2))
    # Two seconds are 200 texts of the slow one: the first ones, and no others.
    assert rates["slow"].texts in (199, 200) and rates["slow"].per_second == pytest.approx((100,) * 3)
    assert all(texts == TEXTS[: len(texts)] for _, texts in seen)
    assert not rates["fast"].ms


def test_the_order_turns_round_with_every_round(clock: Clock):
    seen: list[tuple[str, list[str]]] = []
    runners = [runner(name, clock, lambda n: n / 1000, seen) for name in "abc"]
    in_turn(runners, TEXTS, rounds=2, seconds=9.0)
    timed = [name for name, texts in seen if len(texts) == len(TEXTS)]
    assert "".join(timed) == "abc" + "abc" + "cba"  # a warm-up on every text, and two rounds


def test_one_at_a_time_is_a_call_for_each_text(clock: Clock):
    seen: list[tuple[str, list[str]]] = []
    one = runner("one", clock, lambda n: 0.004, seen)
    rates = in_turn([one], TEXTS[:100], rounds=2, seconds=9.0, one_at_a_time=True)
    assert {len(texts) for _, texts in seen} == {1}
    assert rates["one"].ms == pytest.approx((4.0, 4.0)) and rates["one"].per_second == pytest.approx((250, 250))


def test_a_row_gives_the_ratio_of_the_medians_and_how_far_it_moved(clock: Clock):
    seen: list[tuple[str, list[str]]] = []
    turns = iter([1, 1, 1, *(1, 1), *(2, 2), *(5, 5)])  # two trials and the warm-up, then three rounds

    def stumbling(texts: int) -> float:
        return texts / 1000 * next(turns)

    ours = Runner("ours", runner("ours", clock, lambda n: n / 1000, seen).run)
    theirs = Runner("theirs", runner("theirs", clock, stumbling, seen).run)
    rates = in_turn([ours, theirs], TEXTS, rounds=3, seconds=9.0)
    found = row("some work", "ours", "theirs", rates)
    assert sorted(rates["theirs"].per_second) == pytest.approx([200, 500, 1000])
    assert found["ours"] == pytest.approx(1000) and found["peer"] == pytest.approx(500)
    assert found["ratio"] == pytest.approx(2) and found["ratio_of_rounds"] == pytest.approx([1, 5])
    assert found["ratio_quartiles"] == pytest.approx([1.5, 3.5]) and found["peer_quartiles"] == pytest.approx(
        [350, 750]
    )
    assert not {"ours_tokenizer", "ours_warm", "ours_best"} & set(found)


def test_what_remembers_words_is_renewed_before_each_turn_and_timed_warm_apart(clock: Clock):
    known: set[str] = set()
    renewed: list[int] = []

    def run(texts: Sequence[str]) -> np.ndarray:
        clock.now += sum(0.001 if text in known else 0.01 for text in texts)
        known.update(texts)
        return np.zeros(len(texts))

    def renew() -> None:
        renewed.append(len(known))
        known.clear()

    forgetful = Runner("forgetful", run, run, renew=renew)
    some = TEXTS[:100]
    rates = in_turn([forgetful, Runner("other", run)], some, rounds=2, seconds=9.0)["forgetful"]
    assert rates.per_second == pytest.approx((100, 100)) and rates.warm == pytest.approx((1000, 1000))
    assert rates.tokenizer_per_second == pytest.approx((100, 100))
    assert len(renewed) == 4 and min(renewed) > 0
    single = in_turn([forgetful], some, rounds=1, seconds=9.0, one_at_a_time=True)["forgetful"]
    assert single.per_second == pytest.approx((100,)) and single.warm == pytest.approx((1000,))
