"""The floor in words, in every form of a report."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from leanformer.first_rungs import FLOOR
from leanformer.render.energy import spent
from leanformer.render.floor import floor_facts
from leanformer.render.markdown import report_markdown
from leanformer.render.page import report_page
from leanformer.render.several_reports import Gathered
from leanformer.render.terminal import print_report
from leanformer.report import Report
from tests.making.reports import make_report, make_rung


def with_floor(over: dict[str, Any] | None, **changes: Any) -> Report:
    lineage = ({"step": "linear", "options": {"ngrams": "words", "C": 0.3}},)
    floor = make_rung(FLOOR, quality=0.908, chooseable=False, lineage=lineage)
    energy = {"cpu_seconds": 4.24, "wall_seconds": 3600.0, "energy_joules": None, "carbon_grams": None, "status": "no"}
    training = {"step": FLOOR, "technique": "linear", "whole": True, "energy": energy}
    int8 = make_rung("int8", quality=0.899, over_floor=over)
    return make_report(make_rung("first"), floor, int8, **({"training": (training,)} | changes))


def over(difference: float, low: float, high: float) -> dict[str, Any]:
    return {"difference": difference, "low": low, "high": high, "mcnemar_p": 0.1}


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        (over(-0.009, -0.02, 0.002), "'int8' is not shown to be better (-0.9 points, -2.0 to +0.2, paired)"),
        (over(-0.009, -0.02, 0.0), "'int8' is not shown to be better (-0.9"),
        (over(0.009, 0.0, 0.02), "'int8' is not shown to be better (+0.9"),
        (over(-0.009, -0.02, -0.001), "'int8' is not shown to be better, and is worse (-0.9"),
        (over(0.03, 0.011, 0.05), "'int8' is better (+3.0 points, +1.1 to +5.0, paired)"),
    ],
)
def test_the_chosen_rung_is_better_only_where_the_interval_says_so(beside: dict[str, Any], words: str):
    (said,) = floor_facts(with_floor(beside))
    assert "scores 90.8 (accuracy on 60 test texts), the chosen 'int8' 89.9: " in said and words in said
    assert "of words, C = 0.3, chosen on dev; trained in 4.2 CPU seconds" in said


def test_the_rung_that_is_told_of_is_the_chosen_one():
    report = with_floor(over(0, -1, 1))
    assert report.choice is not None
    (said,) = floor_facts(with_floor(None, choice=report.choice | {"rung": "first"}))
    assert "the chosen 'first' 91.2." in said
    (said,) = floor_facts(with_floor(over(0, -1, 1), choice=None))
    assert "the last rung 'int8'" in said


def test_without_a_floor_nothing_is_said():
    assert floor_facts(make_report()) == []


def test_every_form_of_a_report_says_it():
    report, words = with_floor(over(-0.009, -0.02, 0.002)), "not shown to be better"
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=300))
    assert words in stream.getvalue() and FLOOR in stream.getvalue()
    assert words in report_markdown(report)
    assert words in report_page(Gathered({"lean": report}))


def test_its_training_is_no_part_of_what_compressing_cost():
    assert spent(with_floor(None)) == (None, True)
