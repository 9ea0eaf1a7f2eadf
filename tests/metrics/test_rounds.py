"""Ratios of rounds whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.rounds import (
    LEAST_ROUNDS,
    Ratio,
    clearly_greater,
    median_interval,
    ratio_of,
    shared_ratios,
    surely_greater,
)


def test_the_interval_of_a_median():
    values = np.random.default_rng(1).normal(3.0, 1.0, 400)
    low, high = median_interval(values)
    assert low < np.median(values) < high and 0.1 < high - low < 0.5
    assert median_interval([2.0]) == (2.0, 2.0)
    wide_low, wide_high = median_interval(values, 0.999)
    assert wide_low < low and wide_high > high


def test_ratios_are_those_of_the_same_round():
    ours, theirs = {0: 20.0, 1: 2.0, 3: 9.0}, {0: 10.0, 1: 1.0, 2: 5.0}
    assert shared_ratios(ours, theirs) == [2.0, 2.0], "although both became ten times slower"
    assert ratio_of(ours, theirs) == Ratio(2.0, 2.0, 2.0, 2)
    assert ratio_of({0: 1.0}, {1: 1.0}) is None


def test_the_ratio_is_a_median_and_not_that_of_the_best_rounds():
    ours, theirs = dict(enumerate([3.0, 3.0, 30.0])), dict(enumerate([1.0, 1.0, 1.0]))
    found = ratio_of(ours, theirs)
    assert found == Ratio(3.0, 3.0, 30.0, 3), "the one good round widens the interval, and is not the figure"


@pytest.mark.parametrize(
    ("ratios", "sure"),
    [
        ([1.1] * LEAST_ROUNDS, True),
        ([1.1] * (LEAST_ROUNDS - 1), False),  # all of a few rounds may agree by chance
        ([1.005] * 20, False),  # sure, and not worth a word
        ([0.8] * 20, False),
        ([1.3, 0.8] * 10, False),
        ([1.2, 1.1, 1.15, 1.3, 1.1, 1.2, 1.25, 0.99], True),
    ],
)
def test_sure_is_what_enough_rounds_agree_on(ratios: list[float], sure: bool):
    assert surely_greater(ratios) is sure


def test_more_comparisons_ask_for_more():
    ratios = [1.1] * 10 + [0.9] * 2
    assert surely_greater(ratios) and not surely_greater(ratios, comparisons=100)


def test_equals_are_seldom_called_sure():
    random = np.random.default_rng(3)
    wrong = sum(surely_greater(np.exp(random.normal(0, 0.1, 9)), comparisons=5) for _ in range(300))
    assert wrong <= 9


def test_clear_is_what_every_round_says():
    assert clearly_greater([1.3, 1.25, 9.0])
    assert not clearly_greater([1.3, 1.24, 9.0])
    assert not clearly_greater([2.0, 2.0])
