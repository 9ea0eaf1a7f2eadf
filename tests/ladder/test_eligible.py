"""Who may be chosen, by dev alone."""

from __future__ import annotations

import pytest

from leanformer.errors import RecipeError
from leanformer.ladder.eligible import Eligible, drop, eligible
from leanformer.ladder.timing import RungStanding


def standing(dev: float | None, *, lossless: bool = False, chooseable: bool = True, lost: bool = False) -> RungStanding:
    return RungStanding("a", dev, ("label",) if lost else (), chooseable, lossless)


TEACHER = standing(0.90, lossless=True, chooseable=False)
EXPORT = standing(0.90, lossless=True)


def test_lossless_ones_and_compressed_ones_within_the_bound():
    rungs = [TEACHER, EXPORT, standing(0.895), standing(0.88), standing(0.892, lost=True)]
    assert eligible(rungs, max_drop=1) == Eligible((1, 2), True, (2, 4), (2, 3, 4))
    assert eligible(rungs, max_drop=1, allow_lost=True).members == (1, 2, 4)
    assert drop(rungs, 3) == pytest.approx(2)


def test_without_one_within_the_bound_the_lossless_ones_alone():
    assert eligible([TEACHER, EXPORT, standing(0.5)], max_drop=1) == Eligible((1,), False, (), (2,))


def test_without_anything_lossless_the_one_that_loses_least():
    assert eligible([TEACHER, standing(0.5), standing(0.7)], max_drop=1).members == (2,)


def test_errors_are_told():
    with pytest.raises(RecipeError, match="no rung can be kept"):
        eligible([TEACHER], max_drop=1)
    with pytest.raises(RecipeError, match="was not measured on dev"):
        eligible([TEACHER, standing(None)], max_drop=1)
