"""Choosing a rung on dev."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from leanformer.errors import RecipeError
from leanformer.ladder.choose import choose
from leanformer.report import Rung
from tests.making.reports import make_rung


def rung(name: str, dev: float, **changes: Any) -> Rung:
    fields: dict[str, Any] = {"throughput_per_second": 100.0, "latency_ms_p50": 10.0, "bytes": 1000, "quality": 0.0}
    return make_rung(name, dev_quality=dev, **(fields | changes))


TEACHER = rung("torch", 0.90, chooseable=False, lossless=True, throughput_per_second=1e9, latency_ms_p50=0, bytes=1)
EXPORT = rung("onnx", 0.90, lossless=True, throughput_per_second=200)
SMALL = rung("small", 0.895, throughput_per_second=400, bytes=300, latency_ms_p50=6)
FAST = rung("fast", 0.892, throughput_per_second=900, bytes=500, latency_ms_p50=5)
TINY = rung("tiny", 0.80, throughput_per_second=9000, bytes=10, latency_ms_p50=1)
LADDER = (TEACHER, EXPORT, SMALL, FAST, TINY)


@pytest.mark.parametrize(
    ("goal", "max_drop", "name"),
    [
        ("throughput", 1.0, "fast"),
        ("latency", 1.0, "fast"),
        ("size", 1.0, "small"),
        ("throughput", 0.6, "small"),
        ("throughput", 20, "tiny"),
        ("size", 20, "tiny"),
    ],
)
def test_the_best_by_the_goal_within_the_bound(goal: str, max_drop: float, name: str):
    choice = choose(LADDER, goal=goal, max_drop=max_drop)
    assert (choice.rung.name, choice.within) == (name, True)
    assert repr(name) in choice.reason and "dev only" in choice.reason


def test_the_bound_itself_is_within():
    """0.90 - 0.892 is a little more than 0.008 in floating point."""
    assert 100 * (0.90 - 0.892) > 0.8
    assert choose(LADDER, goal="throughput", max_drop=0.8).rung.name == "fast"
    assert choose(LADDER, goal="throughput", max_drop=0.799).rung.name == "small"


def test_test_quality_is_never_looked_at():
    ladder = (TEACHER, EXPORT, rung("a", 0.90, quality=0.1, throughput_per_second=300), rung("b", 0.5, quality=1.0))
    assert choose(ladder, goal="throughput", max_drop=1).rung.name == "a"


def test_nothing_within_keeps_the_lossless_export():
    choice = choose(LADDER, goal="throughput", max_drop=0.1)
    assert (choice.rung.name, choice.within) == ("onnx", False)
    assert "nearest, 'small', loses 0.50" in choice.reason


def test_an_impossible_bound_keeps_the_lossless_export():
    better = rung("better", 0.95)
    choice = choose((*LADDER, better), goal="size", max_drop=-100)
    assert (choice.rung.name, choice.within) == ("onnx", False)


def test_a_negative_bound_asks_for_a_gain():
    better = rung("better", 0.95, throughput_per_second=250)
    assert choose((*LADDER, better), goal="throughput", max_drop=-1).rung.name == "better"
    choice = choose((*LADDER, better), goal="throughput", max_drop=0)
    assert (choice.rung.name, choice.within) == ("better", True), "a model better than the teacher loses less than 0"


def test_a_faster_lossless_export_beats_a_slower_compressed_one():
    ladder = (TEACHER, rung("onnx", 0.9, lossless=True, throughput_per_second=999), SMALL)
    choice = choose(ladder, goal="throughput", max_drop=1)
    assert (choice.rung.name, choice.within) == ("onnx", True)


def test_of_equals_the_first_is_taken():
    ladder = (TEACHER, EXPORT, rung("one", 0.9, throughput_per_second=500), rung("two", 0.9, throughput_per_second=500))
    assert choose(ladder, goal="throughput", max_drop=1).rung.name == "one"


def test_the_best_of_the_lossless_ones_is_kept():
    ladder = (TEACHER, EXPORT, rung("better", 0.9, lossless=True, throughput_per_second=300), TINY)
    assert choose(ladder, goal="throughput", max_drop=1).rung.name == "better"


def test_without_a_lossless_one_the_nearest_is_kept():
    choice = choose((TEACHER, TINY, rung("nearer", 0.85)), goal="throughput", max_drop=1)
    assert (choice.rung.name, choice.within) == ("nearer", False)


def test_without_a_compressed_one_the_notes_say_why():
    choice = choose((TEACHER, EXPORT), goal="throughput", max_drop=1)
    assert (choice.rung.name, choice.within) == ("onnx", False)
    assert "see the notes" in choice.reason


def test_nothing_to_keep_is_an_error():
    with pytest.raises(RecipeError, match="no rung can be kept"):
        choose((TEACHER,), goal="size", max_drop=1)


def test_an_unknown_goal_names_the_known_ones():
    with pytest.raises(RecipeError, match="unknown goal 'speed'; one of throughput, latency, size"):
        choose(LADDER, goal="speed", max_drop=1)


def test_a_rung_that_loses_a_label_is_chosen_only_when_asked():
    blind = rung("blind", 0.893, throughput_per_second=2000, lost=("alarm (0 found where the teacher finds 5)",))
    assert choose((*LADDER, blind), goal="throughput", max_drop=1).rung.name == "fast"
    assert choose((*LADDER, blind), goal="throughput", max_drop=1, allow_lost=True).rung.name == "blind"
    choice = choose((TEACHER, EXPORT, blind), goal="throughput", max_drop=1)
    assert (choice.rung.name, choice.within) == ("onnx", False)
    assert "'blind' loses alarm (0 found" in choice.reason and "--allow-lost-classes" in choice.reason


def timed(name: str, dev: float, *throughput: float, **changes: Any) -> Rung:
    """A rung with a figure for each round, and their median."""
    rounds = {"throughput": {str(i + 1): value for i, value in enumerate(throughput)}}
    return rung(name, dev, throughput_per_second=float(np.median(throughput)), rounds=rounds, **changes)


def test_a_choice_within_the_noise_is_called_so():
    """Figures of a busy machine, where pruned further looked better than its int8 by one per cent."""
    further = timed("pruned further", 0.895, 284, 300, 150, 290, 280)
    int8 = timed("pruned further, int8", 0.895, 280, 100, 410, 400, 198)
    export = timed("graph", 0.9, 78, 80, 40, 90, 70, lossless=True)
    choice = choose((TEACHER, export, further, int8), goal="throughput", max_drop=1)
    assert choice.rung is further and choice.sure is False
    (rival,) = choice.rivals
    assert (rival.rung, rival.rounds) == ("pruned further, int8", 5)
    assert rival.ratio == pytest.approx(284 / 280) and rival.low < 1 < rival.high
    assert "not sure: 'pruned further' is within the noise of 'pruned further, int8'" in choice.reason
    assert "graph" not in choice.reason


def test_a_choice_that_every_round_confirms_is_sure():
    fast = timed("fast", 0.895, 600, 60, 500)
    choice = choose((TEACHER, timed("graph", 0.9, 100, 10, 90, lossless=True), fast), goal="throughput", max_drop=1)
    assert (choice.rung, choice.sure, choice.rivals) == (fast, True, ())
    assert "not sure" not in choice.reason


def test_those_out_of_bounds_are_no_rivals():
    bad = timed("bad", 0.5, 610, 590, 600)
    ladder = (TEACHER, timed("graph", 0.9, 100, 100, 100, lossless=True), timed("fast", 0.895, 600, 600, 600), bad)
    assert choose(ladder, goal="throughput", max_drop=1).sure is True


def test_without_rounds_nobody_knows_whether_it_is_sure():
    assert choose(LADDER, goal="throughput", max_drop=1).sure is None
    assert choose(LADDER, goal="size", max_drop=1).sure is True
    assert choose((TEACHER, EXPORT), goal="throughput", max_drop=1).sure is True, "there is no other"


def test_latency_is_decided_by_its_own_rounds():
    def one(name: str, *ms: float) -> Rung:
        rounds = {"latency": {str(i + 1): value for i, value in enumerate(ms)}, "throughput": {"1": 1.0}}
        return rung(name, 0.895, latency_ms_p50=float(np.median(ms)), rounds=rounds)

    slow, fast, near = one("slow", 9, 90, 9), one("fast", 2, 20, 2), one("near", 2.1, 19, 2.1)
    assert choose((TEACHER, slow, fast), goal="latency", max_drop=1).sure is True
    choice = choose((TEACHER, slow, fast, near), goal="latency", max_drop=1)
    assert choice.rung is fast and [rival.rung for rival in choice.rivals] == ["near"]
    assert choice.rivals[0].ratio == pytest.approx(1.05), "how many times as fast the chosen one is"


def test_further_rounds_on_a_slower_machine_do_not_turn_the_choice():
    """The first went on, and its median became lower than that of one that every round saw behind it."""
    first = timed("first", 0.895, *[300] * 5, *[150] * 8)
    behind = timed("behind", 0.895, *[235] * 5)
    assert first.throughput_per_second < behind.throughput_per_second
    for ladder in ((TEACHER, first, behind), (TEACHER, behind, first)):
        choice = choose(ladder, goal="throughput", max_drop=1)
        assert (choice.rung, choice.sure) == (first, True)


def test_latency_is_chosen_by_all_rounds_and_not_by_the_first_ones():
    """Further rounds add no single texts to the median that is reported."""
    near = rung("near", 0.895, latency_ms_p50=2.0, rounds={"latency": {str(i + 1): 2.0 for i in range(12)}})
    told = {str(i + 1): 2.1 if i < 3 else 1.9 for i in range(12)}
    better = rung("better", 0.895, latency_ms_p50=2.1, rounds={"latency": told})
    assert choose((TEACHER, near, better), goal="latency", max_drop=1).rung is better
