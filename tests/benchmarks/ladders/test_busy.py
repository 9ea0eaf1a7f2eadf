"""What the ladder beside a CPU hog has to say, and that the hog ends."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.ladders.busy import hog, told, verdict
from tests.making.reports import make_report, make_rung


def ladder(rung: str, busy: bool | None, sure: bool | None = True) -> dict[str, Any]:
    choice = {"rung": rung, "sure": sure, "rivals": [], "reason": ""}
    return told(make_report(make_rung("a"), make_rung("b"), choice=choice, machine_load={"busy": busy}))


@pytest.mark.parametrize(
    ("alone", "busy", "holds"),
    [
        (ladder("a", False), ladder("a", True), True),
        (ladder("a", False), ladder("b", True), False),  # another choice, and sure of it
        (ladder("a", False), ladder("b", True, sure=False), True),
        (ladder("a", False), ladder("b", True, sure=None), False),
        (ladder("a", False), ladder("a", False), False),  # the hog went unnoticed
        (ladder("a", True), ladder("a", True), False),  # so was the machine before
        (ladder("a", None), ladder("a", None), False),
    ],
)
def test_the_verdict(alone: dict[str, Any], busy: dict[str, Any], holds: bool):
    assert verdict(alone, busy)["holds"] is holds


def test_what_is_told_has_the_rounds_and_the_notes_of_int8():
    rung = make_rung("a", rounds={"throughput": {"1": 2.0}})
    report = make_report(rung, notes=("'a': int8 is not faster than 'b' on this CPU (0.7x)", "else"))
    found = told(report)
    assert found["rungs"][0]["rounds"] == {"throughput": {"1": 2.0}} and len(found["of_int8"]) == 1


def test_the_hog_burns_until_the_end_of_the_block_and_no_longer():
    with hog(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.poll() is not None for process in processes)
