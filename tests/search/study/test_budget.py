"""Limits of a search: the first that is reached ends it."""

from __future__ import annotations

import pytest

from leanformer.errors import RecipeError
from leanformer.search.study.budget import SearchBudget, Spent


def test_the_first_limit_that_is_reached_is_named():
    budget = SearchBudget(trials=3, minutes=2, joules=100)
    assert budget.reached(Spent(wall_seconds=119.9, joules=99.9)) is None
    assert budget.reached(Spent(wall_seconds=120)) == "2 minutes are over"
    assert budget.reached(Spent(joules=100)) == "100 joules are spent"
    assert budget.reached(Spent(wall_seconds=120, joules=100)) == "2 minutes are over"
    assert SearchBudget(trials=3).reached(Spent(wall_seconds=1e9, joules=1e9, trial_seconds=1e9)) is None


def test_trials_are_counted_exactly():
    budget = SearchBudget(trials=3)
    assert [budget.allows_trial(count) for count in range(5)] == [True, True, True, False, False]
    assert SearchBudget(minutes=1).allows_trial(10**6)


@pytest.mark.parametrize(
    "limits", [{"trials": 0}, {"minutes": -1}, {"joules": float("nan")}, {"minutes": float("inf")}]
)
def test_a_limit_that_limits_nothing_is_refused(limits: dict[str, float]):
    with pytest.raises(RecipeError, match=f"{next(iter(limits))} is none; it is above 0"):
        SearchBudget(**limits)  # type: ignore[arg-type]


def test_a_search_needs_a_budget():
    with pytest.raises(RecipeError, match=r"a search needs a budget\n  remedy: --trials 30"):
        SearchBudget()
