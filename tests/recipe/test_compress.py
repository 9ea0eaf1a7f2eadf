"""Compressing with steps that are no techniques of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import leanformer.recipe.compress as module
from leanformer.artifact import Artifact
from leanformer.compress.prune.layer_drop import LayerDrop
from leanformer.export.onnx import Onnx
from leanformer.ladder.ladder import measure_ladder
from leanformer.ladder.timing import Choosing
from leanformer.measure.speed import SpeedSettings
from leanformer.recipe.compress import compress
from leanformer.recipe.spec import Recipe, RecipeStep
from leanformer.report import Report
from leanformer.step import Context, record
from tests.making.tiny import tiny_artifact, tiny_dataset


@dataclass(frozen=True)
class Own(LayerDrop):
    """A step of the user's, given in Python."""

    technique: ClassVar[str] = "own.layer_drop"

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        assert context.data.test is None and context.data.dev is not None, "no step may see the test split"
        made = super().__call__(artifact, context, output)
        assert made.history[-1]["step"] == record(self, artifact)["step"] == "own.layer_drop"
        return made


@pytest.mark.slow
def test_a_recipe_may_have_steps_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def measured(*given: Any, **options: Any) -> Report:
        asked.append(options["choosing"])
        return measure_ladder(*given, **options)

    monkeypatch.setattr(module, "measure_ladder", measured)
    steps = (
        RecipeStep("export.onnx", Onnx(), "whole", rung="whole"),
        RecipeStep("own.layer_drop", Own(drop=1), "shallow", uses="teacher"),
        RecipeStep("export.onnx", Onnx(), "graph", rung="graph", after="whole"),
    )
    made = compress(
        tiny_artifact(tmp_path / "teacher"), tiny_dataset(), tmp_path / "lean", recipe=Recipe("own", steps),
        max_drop=100, goal="latency", allow_weak_teacher=True, allow_lost_classes=True, memory=False, threads=1,
        device="cpu", speed=SpeedSettings(rounds=1, latency_texts=4, seconds=0.01), say=lambda line: None,
    )  # fmt: skip
    assert asked == [Choosing("latency", 100, True)], "timing knows what is to be chosen"
    choice = made.report.choice
    assert choice is not None and choice["sure"] == (not choice["rivals"])
    assert {rung.name: rung.lossless for rung in made.report.rungs[-2:]} == {"whole": True, "graph": False}
