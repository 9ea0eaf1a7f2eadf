"""Speedups as medians of ratios of the same rounds, and what is said of int8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from leanformer.first_rungs import BATCHED, UNPADDED
from leanformer.ladder.entries import Entry
from leanformer.ladder.ratios import ratios, slow_int8
from leanformer.measure.speed import Speed
from leanformer.report import Rung
from tests.making.reports import make_rung


def entry(name: str, after: str | None = None) -> Entry:
    nothing = cast(Any, None)
    return Entry(name, after, nothing, nothing, "", chooseable=True, lossless=False)


def speed(**throughput: float) -> Speed:
    """Of rounds named r1, r2, ...."""
    rounds = {"throughput": {name[1:]: value for name, value in throughput.items()}}
    return Speed(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, (), 1, rounds)


ENTRIES = [entry("first"), entry(UNPADDED, "first"), entry(BATCHED, UNPADDED), entry("graph", BATCHED)]
SPEEDS = [
    speed(r1=10, r3=1, r5=10),
    speed(r1=20, r3=2, r5=20),
    speed(r1=50, r2=5, r3=5, r4=50, r5=50),
    # Twice the third in each round, and in the last one five times; the machine was slow in rounds 2 and 3.
    speed(r1=100, r2=10, r3=10, r4=100, r5=250, r6=9000),
]


def test_ratios_are_medians_over_the_rounds_of_both():
    found = ratios(ENTRIES, SPEEDS)[-1]
    assert (found["speedup"], found["speedup_over_unpadded"]) == (10, 5)
    assert (found["over_batched"], found["marginal"]) == (2, 2)
    assert found["intervals"]["over_batched"] == [2, 5]
    assert found["intervals"]["speedup"] == [10, 25]
    assert ratios(ENTRIES, SPEEDS)[0]["speedup"] == 1


def test_the_rung_it_builds_on_is_found_by_name_and_is_else_the_first():
    entries = [*ENTRIES, entry("int8", "graph"), entry("other", "gone")]
    found = ratios(entries, [*SPEEDS, speed(r1=300, r5=750), speed(r1=300, r5=300)])
    assert found[4]["marginal"] == 3 and found[5]["marginal"] == 30


def test_without_pytorch_rungs_there_is_nothing_to_be_over():
    found = ratios([entry("a"), entry("b", "a")], [speed(r1=1.0), speed(r1=3.0)])[1]
    assert found["speedup"] == found["marginal"] == 3
    assert found["over_batched"] is None and found["speedup_over_unpadded"] is None
    assert set(found["intervals"]) == {"speedup", "marginal"}


def int8(marginal: float, low: float, high: float, rounds: int = 5) -> Rung:
    rung = make_rung("small", after="graph", runtime="ONNX Runtime int8", marginal=marginal)
    figures = {"throughput": {str(i + 1): 1.0 for i in range(rounds)}}
    return replace(rung, intervals={"marginal": [low, high]}, rounds=figures)


def test_int8_that_is_surely_not_faster_is_told():
    (note,) = slow_int8([make_rung("graph"), int8(0.7, 0.66, 0.74)])
    assert "'small': int8 is not faster than 'graph' on this CPU (0.70x, 0.66 to 0.74)" in note


@pytest.mark.parametrize("rung", [int8(0.7, 0.5, 1.7), int8(1.3, 0.9, 1.7), int8(0.7, 0.6, 0.8, rounds=3)])
def test_what_may_be_noise_is_called_so(rung: Rung):
    (note,) = slow_int8([make_rung("graph"), rung])
    assert "is within the noise" in note and "not faster" not in note


def test_int8_that_is_faster_and_fp32_that_is_not_are_passed_over():
    slower = replace(int8(0.9, 0.8, 0.95), runtime="ONNX Runtime fp32")
    assert slow_int8([make_rung("graph"), int8(1.5, 1.4, 1.6), int8(1.5, 1.4, 1.6, rounds=1), slower]) == []
