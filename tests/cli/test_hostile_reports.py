"""Reports, plans and histories that may be anybody's: a command says which file it cannot read, and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import MANIFEST
from leanformer.cascade.store import write_cascade
from leanformer.errors import ArtifactError
from leanformer.loading import open_predictor
from leanformer.report import Report
from tests.fuzz.hashes import repair
from tests.making.cascades import PLAN, make_members
from tests.making.commands import Command
from tests.making.reports import make_report, make_rung


@pytest.fixture
def reported(tmp_path: Path, tiny_onnx_artifact: Path) -> Path:
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    make_report(make_rung()).write(tmp_path / "model" / "report.json")
    return tmp_path / "model"


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "rungs that are null": lambda report: report.update(rungs=None),
    "a rung that is a text": lambda report: report["rungs"].append("x"),
    "quality in words": lambda report: report["rungs"][0].update(quality="high"),
    "quality that is a boolean": lambda report: report["rungs"][0].update(quality=True),
    "a count that is null": lambda report: report["rungs"][0].update(n=None),
    "a name that is a list": lambda report: report["rungs"][0].update(name=[]),
    "a figure without interval": lambda report: report["rungs"][0].update(scores={"x": [1]}),
    "a lineage of numbers": lambda report: report["rungs"][0].update(lineage=[1]),
    "notes that are numbers": lambda report: report.update(notes=[1]),
    "a machine that is a list": lambda report: report.update(machine=[]),
    "splits of another shape": lambda report: report.update(data={"splits": {"test": []}}),
    "a machine that tells nothing": lambda report: report.update(machine={}),
    "energy that tells nothing": lambda report: report["rungs"][0].update(energy={"x": 1}),
    "a loss that tells nothing": lambda report: report["rungs"][0].update(loss={"x": 1}),
    "a choice that tells nothing": lambda report: report.update(choice={}),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_a_report_that_cannot_be_shown_is_named(reported: Path, what: str, command: Command, tmp_path: Path):
    edit(reported / "report.json", CHANGES[what])
    outcomes = [command("inspect", reported), command("report", reported, "--output", tmp_path / "page.html")]
    assert any(status for status, _, _ in outcomes), "nothing was noticed"
    for status, _, err in outcomes:
        assert status == 0 or (err.startswith("error: ") and "not a readable report" in err and "\n  remedy: " in err)
    assert outcomes[1][0] == 0 or not (tmp_path / "page.html").exists(), "no half of a page"


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 9000, '{"format_version": NaN}', '{"format_version": true}'])
def test_what_is_no_report_is_named(reported: Path, text: str, command: Command):
    (reported / "report.json").write_text(text, encoding="utf-8")
    status, _, err = command("inspect", reported)
    assert (status, "report.json: not a readable report" in err, "\n  remedy: " in err) == (1, True, True)


def test_a_whole_report_is_read_as_before(reported: Path):
    assert Report.read(reported / "report.json") == make_report(make_rung())


@pytest.fixture
def cascade(tmp_path: Path) -> Path:
    return write_cascade(make_members(tmp_path), PLAN, tmp_path / "cascade").path


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"temperatures": [0]}, {"temperatures": [1e-300]}, {"temperatures": ["1"]}, {"temperatures": 1.5},
        {"thresholds": [True]}, {"thresholds": [2]}, {"measure": 5}, {"members": "ab"}, {"members": [1, 2]},
        {"format_version": True}, {"format_version": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_a_plan_of_wrong_types_is_refused(cascade: Path, changes: dict[str, Any]):
    edit(cascade / "cascade.json", lambda plan: plan.update(changes))
    edit(cascade / MANIFEST, lambda manifest: manifest["files"].pop("cascade.json"))
    content = (cascade / "cascade.json").read_bytes()
    edit(cascade / MANIFEST, lambda manifest: manifest["files"].update({"cascade.json": {"sha256": "", "bytes": 0}}))
    repair(cascade)
    if "members" in changes:  # which the repair has made right again
        (cascade / "cascade.json").write_bytes(content)
        from leanformer.files import sha256_file

        entry = {"sha256": sha256_file(cascade / "cascade.json"), "bytes": len(content)}
        edit(cascade / MANIFEST, lambda manifest: manifest["files"].update({"cascade.json": entry}))
    with pytest.raises(ArtifactError, match=r"(?s)cascade\.json: not a valid plan.*remedy"):
        open_predictor(cascade, threads=1)


@pytest.mark.parametrize("calibration", [{}, {"promise": 1, "counts": 2}, {"promise": {"of": []}, "counts": {}}])
def test_a_promise_that_cannot_be_read_is_said(cascade: Path, calibration: dict[str, Any], command: Command):
    edit(cascade / MANIFEST, lambda manifest: manifest["history"][-1].update(calibration=calibration))
    status, out, _ = command("inspect", cascade)
    assert status == 0
    assert "member 1: answers the rest" in out
    assert "promise: its record cannot be read" in out
