"""The engines of a ladder in words: in the terminal, in Markdown and on the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.predictor import EngineUsed
from leanformer.render.engines import engine_facts
from leanformer.render.markdown import report_markdown
from leanformer.render.page import report_page
from leanformer.render.several_reports import Gathered
from leanformer.report import Report
from tests.making.reports import make_report, make_rung
from tests.render.test_render import terminal

NATIVE = EngineUsed("native", "avx2", "int8", "the default for int8 graphs").to_json()
SLOW = EngineUsed("onnxruntime", None, "int8", "no compiler", "install one").to_json()


def test_each_engine_is_told_with_its_rungs(tmp_path: Path):
    report = make_report(make_rung("a", engine=NATIVE), make_rung("b", engine=SLOW), make_rung("c", engine=NATIVE))
    facts = [
        "Engine: native (avx2), int8 for a, c; onnxruntime, int8 for b.",
        "b could run faster on this machine: no compiler (remedy: install one).",
    ]
    assert engine_facts(report) == facts
    for text in (report_markdown(report), terminal(report), report_page(Gathered({"a": report}))):
        assert all(fact in " ".join(text.split()) for fact in facts)
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report


def test_no_remedy_for_what_is_there_for_comparison_only():
    report = make_report(make_rung("a", engine=SLOW, chooseable=False), make_rung("b"))
    assert engine_facts(report) == ["Engine: onnxruntime, int8 for a."]


def test_a_report_of_an_earlier_version_tells_nothing(tmp_path: Path):
    assert engine_facts(make_report()) == []
    value = make_report().to_json()
    for rung in value["rungs"]:
        del rung["engine"]
    write_json(tmp_path / "report.json", value)
    assert engine_facts(Report.read(tmp_path / "report.json")) == []


@pytest.mark.parametrize("engine", [{}, "native", NATIVE | {"level": 3}, {**NATIVE, "remedy": None}])
def test_a_strange_engine_is_refused(tmp_path: Path, engine: object):
    value = make_report().to_json()
    value["rungs"][0]["engine"] = engine
    write_json(tmp_path / "report.json", value)
    with pytest.raises(LeanformerError, match="engine"):
        Report.read(tmp_path / "report.json")
    assert replace(make_rung(), engine=NATIVE).to_json()["engine"] == NATIVE
