"""Expected best of n trials: the closed forms against drawing all there is to draw."""

from __future__ import annotations

from itertools import combinations, product
from random import Random

import pytest

from leanformer.metrics.expected_best import expected_best, expected_best_curve

VALUES = [Random(i).random() for i in range(8)]
TIED = [0.5, 0.5, 0.7, 0.7, 0.7, 0.1]


@pytest.mark.parametrize("values", [VALUES, TIED, [3.0]])
def test_without_replacement_it_is_the_mean_over_all_subsets(values: list[float]):
    for n in range(1, len(values) + 1):
        subsets = [max(pair_) for pair_ in combinations(values, n)]
        assert expected_best(values, n) == pytest.approx(sum(subsets) / len(subsets), abs=1e-12)


@pytest.mark.parametrize("values", [VALUES[:5], TIED[:5], [3.0]])
def test_with_replacement_it_is_the_mean_over_all_draws(values: list[float]):
    for n in range(1, 6):
        draws = [max(combination) for combination in product(values, repeat=n)]
        assert expected_best(values, n, with_replacement=True) == pytest.approx(sum(draws) / len(draws), abs=1e-12)


def test_the_curve_goes_from_the_mean_to_the_best_and_never_falls():
    curve = expected_best_curve(VALUES)
    assert curve[0] == pytest.approx(sum(VALUES) / 8) and curve[-1] == max(VALUES)
    assert curve == sorted(curve)


def test_the_plug_in_estimate_is_the_lower_one():
    for n in range(2, 9):
        assert expected_best(VALUES, n, with_replacement=True) < expected_best(VALUES, n)


@pytest.mark.parametrize(("values", "n"), [([], 1), (VALUES, 0), (VALUES, 9)])
def test_what_cannot_be_drawn_is_refused(values: list[float], n: int):
    with pytest.raises(ValueError):
        expected_best(values, n)
