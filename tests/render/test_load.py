"""What is said of the machine's load, and the mark of figures of a busy one."""

from __future__ import annotations

from typing import Any

from leanformer.render.card import model_card
from leanformer.render.load import busy_mark, busy_words, load_words
from leanformer.render.markdown import report_markdown
from leanformer.render.page import report_page
from leanformer.render.several_reports import Gathered
from leanformer.render.table import HEADER, ladder_rows
from tests.making.reports import make_report
from tests.render.test_render import artifact, terminal

QUIET: dict[str, Any] = {
    "busy": False, "taken_share": 0.02, "foreign_cpu_seconds": 1.25, "steal_share": 0.001, "load_average": [0.4, 1.9],
    "seconds": 60.0, "cores": 2, "processors": 2,
}  # fmt: skip
BUSY = QUIET | {"busy": True, "taken_share": 0.43}
UNKNOWN = QUIET | {"busy": None, "taken_share": None, "foreign_cpu_seconds": None, "steal_share": None}


def test_a_quiet_machine_is_described_and_not_marked():
    report = make_report(machine_load=QUIET)
    words = load_words(report)
    assert "1.2 CPU seconds of other processes" in words and "0.1 % of the time" in words
    assert "load average 0.4 to 1.9" in words and "busy" not in words
    assert busy_mark(report) == "" and "(busy)" not in report_markdown(report)


def test_a_busy_machine_is_marked_wherever_figures_stand(tmp_path):  # type: ignore[no-untyped-def]
    report = make_report(machine_load=BUSY)
    assert "others took 43 % of the 2 cores" in load_words(report) and "measure again" in busy_words(BUSY)
    row = dict(zip(HEADER, ladder_rows(report)[1], strict=True))
    assert row["texts/s"] == "12,346 (busy)" and row["p50 ms"] == "1.23 (busy)"
    for text in (report_markdown(report), terminal(report), report_page(Gathered({"a": report}))):
        assert "12,346 (busy)" in text and "The machine was busy while it was timed" in " ".join(text.split())
    assert "on a busy machine: too low" in model_card(artifact(tmp_path / "card"), report)
    assert report.to_json()["machine_load"]["busy"] is True


def test_where_it_was_not_measured_nothing_is_claimed():
    report = make_report(machine_load=UNKNOWN)
    assert "not measured on this system; load average 0.4 to 1.9" in load_words(report)
    assert "load average not measured" in load_words(make_report(machine_load=UNKNOWN | {"load_average": None}))
    assert busy_mark(report) == busy_mark(make_report()) == ""
    assert load_words(make_report()) == ""
