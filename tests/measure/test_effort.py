"""What making a model took: kept beside it, outside all that it is known by, and read again from there."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.errors import GateError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.measure.effort import EFFORT, Effort, read_effort, recorded
from leanformer.measure.energy import UNAVAILABLE, EnergySettings
from leanformer.recipe.run import run_recipe
from leanformer.recipe.spec import Recipe, RecipeStep
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact

PLAN = Recipe(
    "test", (RecipeStep("export.onnx", Onnx(), "graph"), RecipeStep("export.int8", Int8(), "small", rung="int8"))
)


def test_every_step_is_recorded_once_and_found_again(tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    context = make_context(tmp_path, teacher)
    first, again = (run_recipe(PLAN, teacher, context, tmp_path) for _ in range(2))
    assert [(effort.step, effort.technique, effort.whole) for effort in first.efforts] == [
        ("graph", "export.onnx", True), ("small", "export.int8", True),
    ]  # fmt: skip
    assert again.efforts == first.efforts, "what a step took when it was made, not what finding it took"
    for effort in first.efforts:
        assert effort.energy is not None and effort.energy["cpu_seconds"] > 0
        assert (effort.energy["phase"], effort.energy["status"]) == ("training", UNAVAILABLE)
        assert "--energy" in effort.energy["method"], "it was not asked for, and says so"


def test_it_is_no_part_of_the_artifact(tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    outcome = run_recipe(PLAN, teacher, make_context(tmp_path, teacher), tmp_path)
    folder = outcome.artifacts["small"].path
    assert (folder / EFFORT).is_file()
    before = open_artifact(folder)
    (folder / EFFORT).write_text(json.dumps({"whole": True, "energy": None}))
    after = open_artifact(folder)
    assert (before.content_hash, before.history, before.files) == (after.content_hash, after.history, after.files)
    assert EFFORT not in after.files


def test_a_step_that_takes_up_what_a_kill_left_is_not_whole(tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    context = make_context(tmp_path, teacher)
    outcome = run_recipe(PLAN, teacher, context, tmp_path)
    left = tmp_path / "running" / outcome.artifacts["graph"].path.name
    left.mkdir(parents=True)
    (outcome.artifacts["graph"].path / "model.onnx").unlink()
    again = run_recipe(PLAN, teacher, context, tmp_path)
    assert [effort.whole for effort in again.efforts] == [False, True]


def test_a_failed_gate_was_paid_for_too(tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher")
    strict = Recipe("test", (PLAN.steps[0], replace(PLAN.steps[1], step=Int8(max_mean_share=1e-9))))
    outcome = run_recipe(strict, teacher, make_context(tmp_path, teacher), tmp_path)
    assert "small" in outcome.left_out
    assert [effort.step for effort in outcome.efforts] == ["graph", "small"]
    assert all(effort.energy is not None for effort in outcome.efforts)


def test_an_error_is_recorded_and_raised(tmp_path: Path):
    effort = Effort("student", "compress.distil")
    with pytest.raises(GateError, match="mine"), recorded(effort, tmp_path / "none", None):
        raise GateError("mine")
    assert effort.energy is not None and not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"whole": true}', '{"whole": true, "energy": {"wall_seconds": "x"}}'])
def test_what_is_not_readable_is_not_known(content: str, tmp_path: Path):
    (tmp_path / EFFORT).write_text(content)
    assert read_effort(tmp_path, "a", "b") == Effort("a", "b", True, None)
    assert read_effort(tmp_path / "nowhere", "a", "b").energy is None


def test_metered_steps_say_how(tmp_path: Path):
    pytest.importorskip("codecarbon")
    artifact = tiny_artifact(tmp_path / "model")
    effort = Effort("student", "compress.distil")
    with recorded(effort, artifact.path, EnergySettings("FRA", 1)):
        pass
    assert effort.energy is not None and effort.energy["country"] == "FRA"
    assert "too short" in effort.energy["method"], "a step of less than a minute has no figure"
    assert read_effort(artifact.path, "student", "compress.distil") == effort
    written = json.loads((artifact.path / EFFORT).read_text())
    assert written.pop("sha256") and written == asdict(effort)
