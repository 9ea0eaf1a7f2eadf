"""Recipes that export what has no graph are refused as they are read."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.errors import RecipeError
from leanformer.recipe.spec import Recipe, RecipeStep, build


def recipe(*steps: dict[str, Any]) -> Recipe:
    written = []
    for values in steps:
        options = dict(values)
        technique = options.pop("step")
        roles = {role: options.pop(role, None) for role in ("uses", "rung")}
        name = options.pop("name", technique.partition(".")[2])
        written.append(RecipeStep(technique, build(technique, options, "here"), name, **roles))
    return Recipe("test", tuple(written))


LINEAR = {"step": "compress.convert_attention", "name": "linear"}
STUDENT = {"step": "compress.distil", "name": "student", "layers": 1}
ONNX = {"step": "export.onnx", "rung": "graph"}
SOFTMAX = {"step": "compress.convert_attention", "kind": "softmax", "name": "back"}


@pytest.mark.parametrize(
    "steps",
    [
        (LINEAR, ONNX),
        (LINEAR, {"step": "curate.duplicates"}, STUDENT, ONNX),
        (LINEAR, STUDENT, {"step": "train.fine_tune", "uses": "linear"}, ONNX),
        (LINEAR, {**LINEAR, "name": "again", "layers": (1,)}, ONNX),
    ],
)
def test_what_runs_in_pytorch_only_is_not_exported(steps: tuple[dict[str, Any], ...]) -> None:
    said = r"step 'onnx' exports what 'linear' makes, and linear attention runs in PyTorch only\n  remedy: leave"
    with pytest.raises(RecipeError, match=said):
        recipe(*steps)


@pytest.mark.parametrize(
    "steps",
    [
        ({**LINEAR, "rung": "linear"},),
        (LINEAR, {**ONNX, "uses": "teacher"}),
        (LINEAR, SOFTMAX, ONNX),
        (LINEAR, {**STUDENT, "start": "another-encoder"}, ONNX),
        (LINEAR, {"step": "compress.bilstm"}, ONNX),
        ({**LINEAR, "layers": (1,)}, {**STUDENT, "layers": (2,)}, ONNX),  # the layer is dropped
    ],
)
def test_what_has_a_graph_or_may_have_one_is(steps: tuple[dict[str, Any], ...]) -> None:
    assert len(recipe(*steps).steps) == len(steps)
