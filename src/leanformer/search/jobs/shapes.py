"""The shape that a recipe's model will have, known from its options before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leanformer.artifact import Artifact
from leanformer.formats import format_of
from leanformer.recipe.spec import Recipe
from leanformer.step import options

Layers = list[list[int]]


@dataclass(frozen=True)
class PlannedShape:
    """What a model will be, as far as its speed goes.

    Attributes:
        hidden, head_size: widths. layers: heads and feed-forward units of each layer.
        precision: "fp32", or "int8" and its method. engine: what runs it, as the trial says.
        exact: False where pruning shares a budget out among layers by what it finds: the layers are then taken to be
            narrowed all alike.
    """

    hidden: int
    head_size: int
    layers: tuple[tuple[int, int], ...]
    precision: str
    engine: str
    exact: bool = True

    @property
    def cell(self) -> str:
        """What a shape is comparable within."""
        return f"{self.precision}, {self.engine}"


@dataclass
class _State:
    hidden: int
    head_size: int
    layers: Layers
    precision: str = "PyTorch"
    exact: bool = True


def planned_shape(recipe: Recipe, runtime: Mapping[str, Any], teacher: Artifact) -> PlannedShape | None:
    """None where a step does what is not foreseen here, or the teacher is of a family that is not mapped."""
    if not format_of(teacher).layers:
        return None
    config = json.loads(teacher.file("encoder.json").read_text(encoding="utf-8"))
    layers = [[int(one["heads"]), int(one["ffn"])] for one in config["layers"]]
    states = {"teacher": _State(int(config["hidden"]), int(config["head_size"]), layers)}
    previous = "teacher"
    for one in recipe.steps:
        before = states[one.uses or previous]
        state = replace(before, layers=[list(each) for each in before.layers])
        follow = _STEPS.get(one.technique)
        if follow is None or not follow(state, options(one.step)):
            return None
        states[one.name] = state
        previous = one.name
    last = states[previous]
    shape = tuple((heads, ffn) for heads, ffn in last.layers)
    return PlannedShape(
        last.hidden, last.head_size, shape, last.precision, str(runtime.get("engine") or "default"), last.exact
    )


def _distil(state: _State, values: Mapping[str, Any]) -> bool:
    count, hidden = values["layers"], values["hidden"]
    if values["start"] is not None:
        return False
    if values["shape"] is not None:
        count, hidden = (int(one) for one in values["shape"].split("x"))
    if isinstance(count, Sequence):
        if any(not 1 <= i <= len(state.layers) for i in count):
            return False
        state.layers = [state.layers[i - 1] for i in count]
    elif count is not None:
        if hidden is None and count > len(state.layers):
            return False
        state.layers = [list(state.layers[min(i, len(state.layers) - 1)]) for i in range(count)]
    if hidden is not None and hidden != state.hidden:
        heads = values["heads"] or state.layers[0][0]
        state.hidden, state.head_size = hidden, hidden // heads
        state.layers = [[heads, values["ffn"] or 4 * hidden] for _ in state.layers]
    return _narrow(state, values["heads"], values["ffn"])


def _prune(state: _State, values: Mapping[str, Any]) -> bool:
    if values.get("heads") is not None or values.get("ffn") is not None:
        return _narrow(state, values["heads"], values["ffn"])
    if values["budget"] == "latency":
        return False
    keep = values["keep"]
    state.layers = [[max(1, round(keep * heads)), max(1, round(keep * ffn))] for heads, ffn in state.layers]
    state.exact = keep == 1
    return True


def _narrow(state: _State, heads: int | None, ffn: int | None) -> bool:
    state.layers = [[heads or each[0], ffn or each[1]] for each in state.layers]
    return True


def _trim(state: _State, values: Mapping[str, Any]) -> bool:
    return True


def _onnx(state: _State, values: Mapping[str, Any]) -> bool:
    state.precision = "fp32"
    return True


def _int8(state: _State, values: Mapping[str, Any]) -> bool:
    state.precision = f"int8 {values['method']}"
    return True


_STEPS: dict[str, Callable[[_State, Mapping[str, Any]], bool]] = {
    "compress.distil": _distil,
    "compress.prune": _prune,
    "compress.prune_post_training": _prune,
    "compress.trim_vocabulary": _trim,
    "export.onnx": _onnx,
    "export.int8": _int8,
}
