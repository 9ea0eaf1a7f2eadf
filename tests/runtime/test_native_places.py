"""Positions inside attention, as tables for the engine: shared by layers, of the right size, or refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from leanformer.runtime.native.places import LayerPlaces, Places
from leanformer.runtime.native.reader import Reader, UnsupportedGraphError
from leanformer.runtime.onnx_file import Node, OnnxFile

BIAS = {"bias0.table": np.arange(14, dtype=np.float32).reshape(2, 7)}
WINDOW = {"bias0.window": np.array(3, np.int64)}
ANGLES = {f"angles0.{part}.table": np.full((4, 3), value, np.float32) for value, part in enumerate(("cos", "sin"))}


def places(layers: Iterable[str], **constants: Any) -> Places:
    """`layers`: the name of each one's bias; with "turned " before it, its queries and keys are rotated."""
    nodes = []
    for index, layer in enumerate(layers):
        nodes.append(Node("Add", ("scores", layer.split()[-1]), (f"layer{index}.masked_scores",), {}))
        if layer.startswith("turned"):
            nodes += [Node("Mul", ("x", f"angles0.{part}"), (f"layer{index}.k.{part}",), {}) for part in ("cos", "sin")]
    return Places(Reader(OnnxFile(constants, nodes, []), 6))


def test_layers_share_tables() -> None:
    found = places(["mask", "bias0.with_relative", "turned bias0.first_token"], **BIAS, **WINDOW, **ANGLES)
    assert [found.of_layer(index, 2) for index in range(3)] == [
        LayerPlaces(), LayerPlaces(bias=0, window=3), LayerPlaces(0, 1, 2, 3)
    ]  # fmt: skip
    bias, cosines, sines = found.tables
    assert bias.shape == (2, found.bias_width) and (bias[:, :7] == BIAS["bias0.table"]).all() and not bias[:, 7:].any()
    # The last query reads a whole vector of 16 from its distance to the last key on.
    assert found.positions == 4 and found.bias_width >= 2 * 4 - 1 + 15
    assert cosines.shape == (4, 16) and not cosines.any() and sines[:, :3].all() and not sines[:, 3:].any()
    assert found.r.used >= {*BIAS, *WINDOW, *ANGLES}


@pytest.mark.parametrize(
    ("constants", "problem"),
    [
        ({"bias0.table": np.zeros((3, 7), np.float32)}, "for 2 heads"),
        ({"bias0.table": np.zeros((2, 8), np.float32)}, "for 2 heads"),
        ({"bias0.table": np.zeros((2, 7))}, "float64"),
        ({"bias0.window": np.array([1, 2])}, "window"),
        ({"bias0.window": np.array(-1)}, "window"),
        ({"angles0.sin.table": np.zeros((5, 3), np.float32)}, "several numbers of positions"),
        ({"angles0.sin.table": np.zeros((4, 2), np.float32)}, r"not \[positions, 3\]"),
        ({"bias0.table": np.zeros((2, 9), np.float32)}, "several numbers of positions"),
    ],
)
def test_tables_of_another_size_are_refused(constants: dict[str, np.ndarray], problem: str) -> None:
    found = places(["turned bias0.with_window"], **(BIAS | WINDOW | ANGLES | constants))
    with pytest.raises(UnsupportedGraphError, match=problem):
        found.of_layer(0, 2)


def test_missing_nodes_are_refused() -> None:
    with pytest.raises(UnsupportedGraphError, match=r"layer1\.masked_scores"):
        places(["mask"]).of_layer(1, 2)
    with pytest.raises(UnsupportedGraphError, match="angles0"):
        places(["turned mask"]).of_layer(0, 2)
