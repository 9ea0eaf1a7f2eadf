"""Constants taken out of a graph: what is padded where, what is counted, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.runtime.native.reader import Reader, UnsupportedGraphError, check_rest, padded
from leanformer.runtime.onnx_file import Node, OnnxFile

NODES = [
    Node("Gelu", ("a",), ("b",), {"approximate": "tanh"}),
    Node("Relu", ("b",), ("c",), {}),
    Node("Softmax", ("c",), ("d",), {}),
]


def reader(**constants: np.ndarray) -> Reader:
    return Reader(OnnxFile(dict(constants), NODES, ["ids"]), 4)


def test_each_head_is_filled_up_by_itself() -> None:
    value = np.arange(1, 13, dtype=np.float32).reshape(2, 6)
    wide = reader().filled(value, 1, 2)
    assert wide.shape == (2, 2 * padded(3)) and wide.flags.c_contiguous
    assert wide.reshape(2, 2, 16)[:, :, :3].tolist() == value.reshape(2, 2, 3).tolist()
    assert wide.sum() == value.sum()
    assert reader().filled(value, 0).shape == (16, 6)


def test_nodes_are_found_and_counted() -> None:
    r = reader()
    assert r.node("c").operator == "Relu" and r.count("Softmax") == 1 and r.bends == 2
    assert (r.function("b"), r.function("c")) == (2, 3)
    for wrong in (lambda: r.node("x"), lambda: r.function("d"), lambda: r.function("x"), lambda: r.need("x")):
        with pytest.raises(UnsupportedGraphError):
            wrong()


def test_what_is_left_is_refused() -> None:
    r = reader(large=np.zeros(9, np.float32), small=np.zeros(4, np.float32))
    with pytest.raises(UnsupportedGraphError, match="also has large"):
        check_rest(r.graph, r, {"Gelu", "Relu", "Softmax"})
    r.need("large")
    check_rest(r.graph, r, {"Gelu", "Relu", "Softmax"})
    with pytest.raises(UnsupportedGraphError, match="also computes Softmax"):
        check_rest(r.graph, r, {"Gelu", "Relu"})


def test_maps_of_another_kind_are_refused() -> None:
    weight, scale = np.ones((3, 4), np.int8), np.ones(4, np.float32)

    def problem(**changes: np.ndarray) -> str:
        r = reader(**{"m.weight.int8": weight, "m.weight.scales": scale, **{f"m.{k}": v for k, v in changes.items()}})
        with pytest.raises(UnsupportedGraphError) as caught:
            r.linear("m", 3, 4)
        return str(caught.value)

    assert "not [3, 4]" in problem(**{"weight.int8": weight.T.copy()})
    assert "not in int8" in problem(**{"weight.int8": weight.astype(np.float32)})
    assert "-128" in problem(**{"weight.int8": np.full((3, 4), -128, np.int8)})
    assert "bias" in problem(bias=np.ones(3, np.float32))
    r = reader(**{"m.weight.int8": weight, "m.weight.scales": scale})
    r.linear("m", 3, 4)
    assert [array.shape for array in r.arrays if array is not None] == [(16, 16), (16,), (16,)]
