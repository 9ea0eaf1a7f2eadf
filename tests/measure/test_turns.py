"""What one turn times, of a predictor whose speed is known."""

from __future__ import annotations

import pytest

from leanformer.measure.turns import Figures, Timed
from tests.measure.timed import OTHERS, QUICK_WORD, SLOW_WORD, TEXTS, Beside, Clock, Known


def timed(predictor: Known, turns: int = 2) -> Timed:
    return Timed(predictor, TEXTS, TEXTS[:10], OTHERS, turns=turns, clock=predictor.clock)


def test_unknown_words_are_the_figure_and_known_ones_stand_beside_it():
    one = timed(Known(Clock(), "a", 0.02))
    one.turn(0)
    one.turn(1)
    assert one.figures.throughput == pytest.approx(dict.fromkeys((0, 1), 1 / (0.02 + SLOW_WORD)))
    assert one.figures.warm == pytest.approx(dict.fromkeys((0, 1), 1 / (0.02 + QUICK_WORD)))
    assert one.figures.inference == pytest.approx(dict.fromkeys((0, 1), 1 / 0.02))
    assert one.figures.latency == pytest.approx(dict.fromkeys((0, 1), 1000 * (0.02 + SLOW_WORD)))
    assert one.tokenizing == pytest.approx([SLOW_WORD] * 10), "the tokenizer is a part of the latency"
    assert one.latencies == pytest.approx([0.02 + SLOW_WORD] * 10)


def test_tokenizing_beside_inference_is_timed_as_it_is_used():
    one = timed(Beside(Clock(), "a", 0.008))
    one.turn(0)
    assert one.figures.throughput[0] == pytest.approx(1 / SLOW_WORD), "the longer of the two"
    assert one.figures.warm[0] == pytest.approx(1 / 0.008)
    assert one.figures.inference[0] == pytest.approx(1 / 0.008)


def test_the_cache_has_read_other_texts_and_none_of_those_timed():
    predictor = Known(Clock(), "a", 0.02)
    one = timed(predictor)
    one.turn(0)
    calls = predictor.calls
    warm_up = [tuple(OTHERS[:64]), *[(text,) for text in OTHERS[:5]]]
    state = [("forget",), tuple(OTHERS)]
    assert calls[:8] == [*warm_up, *state]
    assert calls[8:13] == [(text,) for text in TEXTS[:10:2]]
    assert calls[13:16] == [*state, tuple(TEXTS)]


def test_without_other_texts_the_cache_is_empty():
    predictor = Known(Clock(), "a", 0.02)
    one = Timed(predictor, TEXTS, TEXTS[:10], (), turns=1, clock=predictor.clock)
    one.turn(0)
    assert predictor.calls[0] == tuple(TEXTS[:64]), "it is warmed up all the same"
    assert one.figures.throughput[0] == pytest.approx(1 / (0.02 + SLOW_WORD))


@pytest.mark.parametrize(("goal", "has"), [("throughput", {"throughput"}), ("latency", {"latency"})])
def test_a_further_turn_is_of_what_decides_alone(goal: str, has: set[str]):
    predictor = Known(Clock(), "a", 0.02)
    one = timed(predictor)
    one.turn(0)
    before, latencies = len(predictor.calls), list(one.latencies)
    one.turn(1, goal)
    assert {name for name in ("throughput", "warm", "inference", "latency") if 1 in getattr(one.figures, name)} == has
    assert one.latencies == latencies, "percentiles are of the same texts for all"
    assert len(predictor.calls) > before
    assert 0 < one.seconds(goal) <= predictor.clock.now


def test_each_single_text_once_over_the_turns():
    predictor = Known(Clock(), "a", 0.02)
    one = timed(predictor, turns=3)
    for number in range(3):
        one.turn(number)
    singles = [call[0] for call in predictor.calls if len(call) == 1 and call[0].startswith("word")]
    assert sorted(singles) == sorted(TEXTS[:10])


def test_figures_as_json_count_from_one():
    figures = Figures({0: 10.0, 2: 20.0}, {0: 30.0}, {0: 40.0}, {0: 4.0, 1: 5.0})
    assert figures.to_json() == {
        "throughput": {"1": 10.0, "3": 20.0}, "warm": {"1": 30.0}, "inference": {"1": 40.0},
        "latency": {"1": 4.0, "2": 5.0},
    }  # fmt: skip
    assert figures.by("throughput") == {0: 10.0, 2: 20.0}
    assert figures.by("latency") == {0: 0.25, 1: 0.2}, "higher is better"
