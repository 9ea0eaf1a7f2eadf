"""The benchmark of a local Ray: what it calls held, and the whole of it on the tiny task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.searches import on_ray as benchmark
from leanformer.artifact import open_artifact
from leanformer.measure import speed
from leanformer.measure.speed import SpeedSettings
from leanformer.search.space.read import read_space
from tests.making.searches import space_of
from tests.making.tiny import tiny_artifact, tiny_dataset, tiny_texts

GRID = """\
goals: {maximise: quality, minimise: bytes}
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1]}
    learning_rate: {choose: [0.001, 0.002, 0.003]}
    trial_texts: 0
    epochs: 1
  - {step: export.onnx, max_difference: 0.01}
"""
WHOLE: dict[str, Any] = {"killed": 1, "lost": 0, "twice": 0, "unlike_one_process": 0, "left_behind": [], "in_order": 1}


@pytest.mark.parametrize(
    "change", [{"killed": 0}, {"lost": 1}, {"twice": 1}, {"unlike_one_process": 1}, {"left_behind": ["x"]}]
)
def test_what_is_not_whole_does_not_hold(change: dict[str, Any]):
    assert benchmark.holds(WHOLE)
    assert not benchmark.holds(WHOLE | change)
    assert not benchmark.holds(WHOLE | {"in_order": False})


def test_the_space_is_a_grid_of_eight():
    assert len(list(read_space(benchmark.RECIPES / "search-on-ray.yaml").grid())) == 8


@pytest.mark.slow
def test_nothing_is_lost_when_a_worker_is_killed(
    tmp_path: Path, tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("ray")
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
    texts = [f"{text} {index}" for index, text in enumerate(tiny_texts(150, seed=4)[0] * 80)]
    scored = benchmark.scoring(open_artifact(tiny_onnx_artifact), texts, tmp_path / "scoring", rows=300, kill_after=3)
    assert scored["killed"] == 1 and scored["answers"] == len(texts) and scored["in_order"]
    assert not any(scored[name] for name in ("lost", "twice", "left_behind"))
    quick = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
    found = benchmark.searching(
        space_of(tmp_path, GRID), tiny_artifact(tmp_path / "teacher"), tiny_dataset(), tmp_path / "search", trials=6,
        kill_after=1, speed=quick,
    )  # fmt: skip
    assert benchmark.holds(found) and found["counts"] == {"finished": 6}
