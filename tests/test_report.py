"""The Report: written and read back whole, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.errors import LeanformerError
from leanformer.report import Report
from tests.making.reports import make_report, make_rung


def test_what_is_written_is_read(tmp_path: Path):
    report = make_report(make_rung("a", parameters=None, peak_memory_bytes=None), make_rung("b", after="a"))
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report
    assert Report.read(str(tmp_path / "report.json")).rungs[1].after == "a"


def test_a_bench_has_neither_choice_nor_recipe(tmp_path: Path):
    report = make_report(choice=None, recipe=None, notes=())
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report


def test_a_report_of_another_version_is_refused(tmp_path: Path):
    replace(make_report(), format_version=2).write(tmp_path / "report.json")
    with pytest.raises(LeanformerError, match="report version 2, this reads 1"):
        Report.read(tmp_path / "report.json")


def changed(**changes: Any) -> str:
    value = make_report().to_json()
    for key, change in changes.items():
        if change is ...:
            del value[key]
        else:
            value[key] = change
    return json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '"report"',
        changed(rungs=...), changed(rungs=None), changed(rungs=[{}]), changed(rungs=[{"name": "a"}]),
        changed(rungs=["a"]), changed(notes=None), changed(machine=...), changed(format_version=...),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(text: str, tmp_path: Path):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(LeanformerError, match="not a readable report"):
        Report.read(tmp_path / "report.json")


def test_a_missing_report_is_named(tmp_path: Path):
    with pytest.raises(LeanformerError, match=r"report\.json: not a readable report"):
        Report.read(tmp_path / "report.json")


def test_not_a_number_is_not_written(tmp_path: Path):
    with pytest.raises(ValueError):
        make_report(make_rung(speedup=float("nan"))).write(tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []
