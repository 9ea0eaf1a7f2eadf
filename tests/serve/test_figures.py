"""Figures on the page are those of the artifact itself, and a report that is not well is no reason to fail."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.serve.figures import REPORT, read_figures
from leanformer.serve.model import open_model
from tests.making.reports import make_report


@pytest.fixture
def model(tiny_onnx_artifact: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    return tmp_path / "model"


def test_they_are_those_of_the_rung_that_it_is(model: Path):
    artifact, report = open_artifact(model), make_report()
    assert read_figures(artifact) is None
    report.write(model / REPORT)
    assert read_figures(artifact) is None, "none of its rungs is this artifact"
    own = replace(report.rungs[-1], content_hash=artifact.content_hash)
    replace(report, rungs=(*report.rungs[:-1], own)).write(model / REPORT)
    found = read_figures(open_artifact(model))
    assert found is not None
    assert (found["quality"], found["n"], found["metric"]) == (own.quality, own.n, own.metric)
    assert open_model("one", 0, str(model)).facts["figures"] == found
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"rungs": [{}]}', '{"format_version": 99}'])
def test_a_broken_report_is_passed_over(model: Path, content: str):
    (model / REPORT).write_text(content)
    assert read_figures(open_artifact(model)) is None
