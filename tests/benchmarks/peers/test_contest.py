"""The way of a peer is the fastest on the texts given, by medians, with a clock that only the runners move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.peers.contest import best_ways, under_the_name, way_of
from benchmarks.runtime import interleaved
from benchmarks.runtime.interleaved import Runner
from tests.benchmarks.runtime.test_interleaved import Clock

TEXTS = [f"text {i}" for i in range(100)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(interleaved, "time", clock)
    return clock


def runner(name: str, clock: Clock, *ms: float) -> Runner:
    """Takes so many ms for each text in one call after the other, and the last of them from then on."""
    turns = list(ms)

    def run(texts: Sequence[str]) -> np.ndarray:
        if len(texts) == len(TEXTS):
            clock.now += len(texts) * (turns.pop(0) if len(turns) > 1 else turns[0]) / 1000
        else:
            clock.now += len(texts) * turns[0] / 1000
        return np.zeros(len(texts))

    return Runner(name, run)


def test_each_peer_has_its_best_way_and_all_are_told(clock: Clock):
    ways = {
        "A": [
            runner("A: one session", clock, 1.8),
            runner("A: two sessions", clock, 1.5),
            runner("A: slow", clock, 9.0),
        ],
        "B": [runner("B", clock, 4.0)],
    }
    said: list[str] = []
    chosen, rows = best_ways(ways, TEXTS, rounds=3, seconds=9.0, say=said.append)
    assert {peer: way_of(each, peer) for peer, each in chosen.items()} == {"A": "two sessions", "B": ""}
    assert [(row["peer"], row["way"], row["chosen"]) for row in rows] == [
        ("A", "one session", False), ("A", "two sessions", True), ("A", "slow", False), ("B", "", True),
    ]  # fmt: skip
    assert [row["texts_per_second"] for row in rows] == pytest.approx([1000 / 1.8, 1000 / 1.5, 1000 / 9, 250])
    # Whoever is far behind after one look, or has no rival, runs no further rounds.
    assert [row["rounds"] for row in rows] == [3, 3, 1, 1]
    assert said[0].startswith("A: two sessions (667/s, 3 ways)")
    assert [each.name for each in under_the_name(chosen)] == ["A", "B"]


def test_the_first_look_does_not_decide_among_those_that_are_near(clock: Clock):
    # Warm-up and the first look, then the rounds that count: the one that looked a little better is not.
    lucky = runner("A: lucky", clock, 1.0, 1.0, 1.0, 1.3)
    steady = runner("A: steady", clock, 1.1)
    chosen, _ = best_ways({"A": [lucky, steady]}, TEXTS, rounds=3, seconds=9.0)
    assert chosen["A"].name == "A: steady"
