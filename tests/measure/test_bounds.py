"""Bounds and verdicts as values: what they refuse, when a model ships, and what is written."""

from __future__ import annotations

import pytest

from leanformer.errors import LeanformerError
from leanformer.measure.bounds import BROKEN, SHOWN, UNDECIDED, Bounds, Check, Verdict


def check(p: float, status: str) -> Check:
    return Check("recall of a", status, 100, 3, 1, 5, 0.02, None, 0.05, p, None)


def test_a_model_ships_if_each_bound_is_shown_by_itself():
    bounds = Bounds(confidence=0.9)
    assert bounds.level == pytest.approx(0.1)
    assert Verdict(bounds, (check(0.09, SHOWN), check(0.01, SHOWN))).ships
    assert not Verdict(bounds, (check(0.11, UNDECIDED), check(0.01, SHOWN))).ships
    assert not Verdict(bounds, (check(1.0, BROKEN),)).ships


def test_a_bound_that_is_no_number_of_points_is_refused_by_name():
    with pytest.raises(LeanformerError, match="the bound of macro-F1 is a positive number"):
        Bounds(figures={"macro-F1": 0.0})
    Bounds(figures={"mean absolute error": 150.0})  # in the unit of the scores
    with pytest.raises(LeanformerError, match="the bound of max_recall_drop is"):
        Bounds(max_recall_drop=-2)


def test_it_is_written_whole():
    value = Verdict(Bounds(figures={"macro-F1": 2.0}), (check(0.2, UNDECIDED),)).to_json()
    assert value["bounds"]["figures"] == {"macro-F1": 2.0} and value["figures"] == []
    assert value["checks"][0] | {"limit": None, "p_holm": 1.0} == value["checks"][0]
