"""Tables of the pages whose ladders have a floor, which is no step and no student."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pages import readme
from leanformer.files import write_json
from leanformer.first_rungs import BATCHED, FLOOR, UNPADDED, padded
from tests.making.reports import make_report, make_rung


def step(name: str, technique: str, seconds: float) -> dict[str, object]:
    return {
        "step": name,
        "technique": technique,
        "whole": True,
        "energy": {"wall_seconds": 9 * seconds, "cpu_seconds": seconds},
    }


def test_the_floor_is_no_step_of_a_recipe():
    teacher, prune = step("teacher", "train.fine_tune", 900.0), step("prune", "compress.prune", 40.0)
    floor = step(FLOOR, "linear", 16.0)
    assert readme.steps_seconds(make_report(make_rung("a"), training=(teacher, prune, floor))) == 40
    assert readme.steps_seconds(make_report(make_rung("a"), training=(teacher, floor))) is None


def test_the_floor_is_no_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rungs = [make_rung(name) for name in (padded(128), UNPADDED, BATCHED, FLOOR, "layers 2, 5, 6, distilled")]
    gain = {"difference": 0.01, "low": 0.0, "high": 0.02, "n": 60}
    (tmp_path / "sst2").mkdir()
    write_json(
        tmp_path / "sst2" / "students.json", make_report(*rungs).to_json() | {"distilled_minus_labels_only": gain}
    )
    monkeypatch.setattr(readme, "RESULTS", tmp_path)
    shown = readme.students()
    assert "| layers 2, 5, 6, distilled |" in shown and FLOOR not in shown
