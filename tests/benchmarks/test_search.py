"""The benchmark of searching, on the tiny task: both searches, the fixed recipe and the fronts compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import search as benchmark

from leanformer.measure import speed
from leanformer.measure.speed import SpeedSettings
from tests.search.searching import space_of
from tests.tiny import tiny_artifact, tiny_dataset

SPACE = """\
name: tiny
goals: {maximise: quality, minimise: latency_ms_p95}
halving: {over: epochs, least: 0.5, factor: 2}
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1]}
    learning_rate: {range: [0.001, 0.01], log: true}
    trial_texts: 0
    epochs: 2
  - {step: export.onnx, max_difference: 0.01}
"""


@pytest.mark.slow
def test_halving_and_whole_trainings_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
    quick = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
    found = benchmark.compare(
        tiny_dataset(), tiny_artifact(tmp_path / "teacher"), space_of(tmp_path, SPACE), tmp_path / "work", trials=5,
        sampler="random", speed=quick, final_speed=quick, fixed=("quick",), say=lambda line: None,
    )  # fmt: skip
    assert json.loads(json.dumps(found)) == found
    halved, whole = found["searches"]["halving"], found["searches"]["whole trainings"]
    assert halved["shares"] == [0.5, 1.0] and whole["shares"] == [1.0]
    assert whole["counts"] == {"finished": 5} and sum(halved["counts"].values()) == 5
    assert found["fronts"]["compute_share"] == pytest.approx(
        halved["spent"]["cpu_seconds"] / whole["spent"]["cpu_seconds"]
    )
    names = [one["name"] for one in found["on_test"]]
    assert names[3:] == ["quick", *(f"trial {one['trial']}" for one in halved["front_on_dev"])] or found["notes"]
