"""The shipped recipes that prune, from end to end on a tiny teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.recipe.library import find_recipe
from leanformer.recipe.spec import Recipe
from tests.e2e.test_compress import run
from tests.making.tiny import tiny_dataset

TRAINING = {"layers": 2, "epochs": 1, "batch_size": 16, "learning_rate": 3e-3, "trial_texts": 0}
AGAIN = TRAINING | {"layers": None}


def small(name: str, **steps: dict[str, Any]) -> Recipe:
    """A shipped recipe with these options; int8 gates are open, because models this raw have logits all alike."""
    recipe = find_recipe(name)
    for step in recipe.steps:
        if step.technique == "export.int8":
            steps[step.name] = {"max_flips": 1.0, "max_mean_share": 10.0}
    return recipe.with_options({f"{step}.{option}": v for step, given in steps.items() for option, v in given.items()})


@pytest.mark.slow
def test_quick_pruned_never_trains_and_gets_smaller(teacher: Artifact, tmp_path: Path):
    result = run(teacher.path, tmp_path / "lean", small("quick-pruned"), goal="size", max_drop=100)
    rungs = {rung.name: rung for rung in result.report.rungs}
    sizes = [rungs[name].parameters for name in ("our ONNX graph", "pruned", "pruned further")]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    assert rungs["pruned"].after == rungs["pruned further"].after == "our ONNX graph"
    assert not rungs["pruned"].lossless
    assert result.report.choice is not None
    assert result.report.choice["rung"] == "pruned further, int8"
    assert not any(entry["step"] == "compress.distil" for entry in result.artifact.history)


@pytest.mark.slow
def test_quick_pruned_is_content_with_unlabelled_text(teacher: Artifact, tmp_path: Path):
    data = replace(tiny_dataset(), train=None, dev=None, test=None)
    result = run(teacher.path, tmp_path / "lean", small("quick-pruned"), data=data)
    assert not [note for note in result.report.notes if "left out" in note]
    assert len(result.report.rungs) == 9


@pytest.mark.slow
def test_prune_and_distil_again(teacher: Artifact, tmp_path: Path):
    recipe = small("fastformers", student=TRAINING, pruned={"heads": 3, "ffn": 32}, again=AGAIN)
    result = run(teacher.path, tmp_path / "lean", recipe, goal="size", max_drop=100)
    rungs = {rung.name: rung for rung in result.report.rungs}
    before, after = rungs["pruned, not trained"], rungs["pruned, distilled again"]
    assert before.parameters == after.parameters < rungs["our ONNX graph"].parameters
    assert before.content_hash != after.content_hash
    trained = [entry["step"] for entry in result.artifact.history if entry["step"].startswith("compress.")]
    assert trained == ["compress.distil", "compress.prune", "compress.distil"]


@pytest.mark.slow
def test_thorough_has_a_way_without_training_and_one_with_it(teacher: Artifact, tmp_path: Path):
    recipe = small("thorough", again=AGAIN | {"least_steps": 0})
    result = run(teacher.path, tmp_path / "lean", recipe, goal="size", max_drop=100)
    rungs = {rung.name: rung for rung in result.report.rungs}
    assert len(rungs) == 10
    sizes = [rungs[name].parameters for name in ("our ONNX graph", "half cut, not trained", "a third left, distilled")]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    assert rungs["half cut, not trained"].after == rungs["a third left, distilled"].after == "our ONNX graph"
    assert result.report.choice is not None and result.report.choice["rung"] == "int8"
    trained = [entry["step"] for entry in result.artifact.history if entry["step"].startswith("compress.")]
    assert trained == ["compress.prune", "compress.distil"]


def test_shapes_of_fastformers_can_be_left_to_a_budget(teacher: Artifact, tmp_path: Path):
    """As its `about` says."""
    recipe = find_recipe("fastformers").with_options({"pruned.heads": None, "pruned.ffn": None, "pruned.keep": 0.4})
    (pruned,) = (step for step in recipe.steps if step.name == "pruned")
    assert pruned.step.keep == 0.4  # type: ignore[attr-defined]
