"""Energy, effort and break-even in words: figures worked out by hand, and nothing where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.render.blocks import blocks
from leanformer.render.energy import break_even, effort_rows, energy_notes, energy_rows, spent
from leanformer.render.markdown import report_markdown
from leanformer.render.page import report_page
from leanformer.render.several_markdown import gathered_markdown
from leanformer.render.several_reports import Gathered
from leanformer.report import Report
from tests.making.reports import make_report, make_rung


def energy(joules: float | None, *, phase: str = "inference", **changes: Any) -> dict[str, Any]:
    return {
        "phase": phase, "status": "unavailable" if joules is None else "estimated", "method": "modelled from load",
        "energy_joules": joules, "parts": {}, "carbon_grams": None if joules is None else joules / 1000,
        "country": "DEU", "cpu_seconds": 50.0, "wall_seconds": 60.0, "texts": 20_000,
    } | changes  # fmt: skip


def effort(step: str, joules: float | None, wall: float, **changes: Any) -> dict[str, Any]:
    made = energy(joules, phase="training", wall_seconds=wall, cpu_seconds=2 * wall, texts=None)
    return {"step": step, "technique": "compress.distil", "whole": True, "energy": made} | changes


def metered(*training: dict[str, Any]) -> Report:
    plain = make_rung("plain", lossless=True, usd_per_100m=200.0, energy=energy(400.0), cpu_seconds_per_1000=3.0)
    lean = make_rung("lean", after="plain", usd_per_100m=100.0, energy=energy(100.0), cpu_seconds_per_1000=1.0)
    return make_report(plain, lean, training=training, price={"usd_per_hour": 0.5, "basis": "mine"})


def test_figures_are_for_a_thousand_texts():
    rows = energy_rows(metered())
    assert rows == [("plain", "2.5", "20", "0.02", "estimated"), ("lean", "2.5", "5", "0.005", "estimated")]
    notes = " ".join(energy_notes(metered()))
    assert "Estimated: modelled from load." in notes and "grid of DEU" in notes and "Cooling" in notes


def test_without_metering_there_is_processor_time():
    report = make_report(make_rung("a", cpu_seconds_per_1000=1.5))
    assert energy_rows(report) == [("a", "1.5", "-", "-", "not metered")]
    assert "--energy" in energy_notes(report)[0]


def test_what_the_steps_took_pays_back():
    """Two hours at 0.5 USD are 1 USD; 100 USD saved per 100 million texts give it back after a million."""
    report = metered(effort("teacher", 9e9, 9e9), effort("student", 3e5, 3600.0), effort("again", 1e5, 3600.0))
    assert spent(report) == (1.0, True), "the teacher is there without compressing"
    usd, watt_hours = break_even(report)
    assert usd == "1 USD spent on compressing come back after 1,000,000 texts ('lean' in place of 'plain')"
    # 400,000 J, and 15 J saved for every thousand texts.
    assert "111 Wh" in watt_hours and f"{4e5 / 15 * 1000:,.0f} texts" in watt_hours
    assert break_even(report, 5.0)[0].startswith("5 USD") and "5,000,000 texts" in break_even(report, 5.0)[0]


@pytest.mark.parametrize(
    ("change", "said"), [({"energy": None}, "at least 0.5 USD"), ({"whole": False}, "at least 1 USD")]
)
def test_what_is_not_known_whole_is_a_lower_bound(change: dict[str, Any], said: str):
    report = metered(effort("student", 3e5, 3600.0), effort("again", 1e5, 3600.0, **change))
    words = break_even(report)
    assert len(words) == 1 and words[0].startswith(said), "energy that is not known whole pays nothing back"


def test_a_model_that_is_not_cheaper_pays_nothing_back():
    report = metered(effort("student", 1.0, 3600.0))
    dear = make_rung("lean", usd_per_100m=300.0, energy=energy(800.0))
    report = make_report(report.rungs[0], dear, training=report.training, price=report.price)
    assert [("do not come back" in line) for line in break_even(report)] == [True, True]


def test_nothing_is_said_where_nothing_is_known():
    assert blocks(make_report()) == [] and break_even(make_report()) == []
    assert "Energy" not in report_markdown(make_report())


def test_steps_stand_in_a_table_of_their_own():
    report = metered(
        effort("teacher", None, 60.0, energy=None),
        effort("student", 3600.0, 120.0),
        effort("b", 7.0, 60.0, whole=False),
    )
    rows = effort_rows(report)
    assert rows[0][-1] == "not recorded"
    assert rows[1] == ("student", "compress.distil", "2", "4", "1", "3.6", "estimated")
    assert "several runs" in rows[2][-1]


@pytest.mark.parametrize("write", [lambda g: report_page(g), lambda g: gathered_markdown(g)])
def test_page_and_markdown_have_it_once(write: Any):
    written = write(Gathered({"a": metered(effort("student", 3e5, 3600.0))}, spent_usd=7.0))
    assert written.count("7 USD spent on compressing") == 1
    assert written.count("Energy and processor time") == 1 and written.count("J/1,000") == 1
