"""The shape that a recipe's model will have, predicted by its steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leanformer.artifact import Artifact
from leanformer.formats import format_of
from leanformer.recipe.spec import Recipe
from leanformer.shapes.planned import PlannedShape
from leanformer.step import Make


def planned_shape(recipe: Recipe, runtime: Mapping[str, Any], teacher: Artifact) -> PlannedShape | None:
    """None if a step cannot predict its shape, or the teacher is of a family that is not mapped."""
    if not format_of(teacher).layers:
        return None
    config = json.loads(teacher.file("encoder.json").read_text(encoding="utf-8"))
    layers = tuple((int(layer["heads"]), int(layer["ffn"])) for layer in config["layers"])
    shapes = {"teacher": PlannedShape(int(config["hidden"]), int(config["head_size"]), layers)}
    previous = "teacher"
    for step in recipe.steps:
        if not isinstance(step.step, Make) or step is recipe.opening:
            continue
        shape = step.step.planned(shapes[step.uses or previous])
        if shape is None:
            return None
        shapes[step.name] = shape
        previous = step.name
    return replace(shapes[previous], engine=str(runtime.get("engine") or "default"))
