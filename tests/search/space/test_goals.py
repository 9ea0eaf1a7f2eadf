"""Goals of a search as written, their costs, and by how much bounds are exceeded."""

from __future__ import annotations

import math
from typing import Any

import pytest

from leanformer.errors import RecipeError
from leanformer.search.space.goals import Bound, Goals, read_goals


def read(**value: Any) -> Goals:
    return read_goals(value, "s.yaml")


def test_goals_and_bounds_are_read_in_order():
    goals = read(
        minimise=["bytes", "latency_ms_p95"], maximise="quality", max_drop=1, max_bytes="50e6", min_quality=0.8
    )
    assert goals.names == ("bytes", "latency_ms_p95", "quality") and goals.maximised == (False, False, True)
    assert goals.bounds == (
        Bound("max_drop", "drop", 1.0, upper=True),
        Bound("max_bytes", "bytes", 50e6, upper=True),
        Bound("min_quality", "quality", 0.8, upper=False),
    )
    assert goals.timed == ("latency_ms_p95",) and goals.needs_time
    assert not read(maximise="quality").needs_time and read(maximise="quality", max_cpu_seconds_per_1000=1).needs_time


def test_costs_are_lower_where_better_and_infinite_where_there_is_no_figure():
    goals = read(maximise="quality", minimise="bytes")
    assert goals.costs({"quality": 0.9, "bytes": 10}) == (-0.9, 10.0)
    assert goals.costs({"quality": None, "bytes": 10}) == (math.inf, 10.0)


def test_violations_are_shares_of_the_bound_and_add_up():
    goals = read(maximise="quality", max_bytes=100, min_throughput_per_second=50, max_drop=2)
    kept = {"bytes": 100, "throughput_per_second": 50, "drop": 2}
    assert goals.violation(kept) == 0.0
    broken = {"bytes": 150, "throughput_per_second": 40, "drop": 1}
    assert goals.violations(broken) == pytest.approx(
        {"max_bytes": 0.5, "min_throughput_per_second": 0.2, "max_drop": -0.5}
    )
    assert goals.violation(broken) == pytest.approx(0.7), "a bound that is kept by far makes up for none"
    assert goals.violation({"bytes": 1}) == math.inf


def test_quality_and_lost_labels_count_only_for_a_whole_training():
    goals = read(maximise="quality", max_drop=1)
    figures = {"drop": 5.0, "lost": ["a", "b"]}
    assert goals.violation(figures) == pytest.approx(4 + 2) and goals.violation(figures, whole=False) == 0.0
    allowed = Goals(goals.names, goals.maximised, goals.bounds, allow_lost=True)
    assert allowed.violation(figures) == pytest.approx(4)


def test_quality_may_be_given_by_the_name_of_the_tasks_metric_alone():
    goals = read(maximise="micro_f1")
    assert goals.names == ("quality",)
    goals.check_metric("micro-F1")
    with pytest.raises(RecipeError, match=r"'micro_f1' is not the metric of this task, which is accuracy\n  remedy"):
        goals.check_metric("accuracy")
    read(maximise="quality").check_metric("accuracy")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["quality"], "`goals:` is a mapping"),
        ({}, "nothing to maximise or minimise"),
        ({"max_drop": 1}, "nothing to maximise or minimise"),
        ({"maximise": "speed"}, "no figure is called 'speed'"),
        ({"maximise": ["quality", "accuracy"]}, "the goal 'accuracy' is given twice"),
        ({"minimise": "quality"}, "quality is better when higher"),
        ({"maximise": "quality", "most": 1}, "`goals:` has no 'most'"),
        ({"maximise": "quality", "max_bytes": "small"}, "the bound max_bytes is a number, not 'small'"),
        ({"maximise": "quality", "max_bytes": True}, "the bound max_bytes is a number, not True"),
        ({"maximise": "quality", "max_bytes": math.inf}, "the bound max_bytes is a number"),
        ({"maximise": "quality", "max_speed": 1}, "no figure is called 'speed'"),
    ],
)
def test_what_is_no_goal_is_refused_with_the_place(value: Any, said: str):
    with pytest.raises(RecipeError, match=said) as caught:
        read_goals(value, "s.yaml")
    assert str(caught.value).startswith("s.yaml: ")
