"""From the int8 graph of a recurrent student to the arrays for the native engine."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from leanformer.runtime.native.reader import STEP, Reader, UnsupportedGraphError, check_rest, padded
from leanformer.runtime.native.weights import Weights
from leanformer.runtime.onnx_file import OnnxFile

_GATES, _WAYS = 4, 2
# The operators that `export.graphs.lstm_graph` writes, and those that replace them in int8.
_OPERATORS = {
    *("Add", "Cast", "DynamicQuantizeLSTM", "Gather", "Gelu", "Identity", "MatMul", "ReduceSum", "Reshape"),
    *("Transpose", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "Max", "Mul", "Neg", "QuantizeLinear"),
    *("Reciprocal", "ReduceMax", "ReduceMin"),
}
_MAPS, _STEPS, _ENDS = ("lstm.W", "lstm.R"), ("lstm.steps",), ("", "lstm.ends")
# No initial state, and no peepholes.
_INPUTS = (
    *("word", "lstm.W.int8", "lstm.R.int8", "lstm.B", "lengths.int32", "", "", ""),
    *("lstm.W.scale", "lstm.W.zero", "lstm.R.scale", "lstm.R.zero"),
)


class RecurrentShape(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [
        (name, ctypes.c_int32) for name in (
            "embedding", "embedding_padded", "units", "units_padded", "projection", "projection_padded", "labels",
            "labels_padded", "vocabulary", "ends",
        )
    ]  # fmt: skip


def is_recurrent(graph: OnnxFile) -> bool:
    return any(node.operator in ("LSTM", "DynamicQuantizeLSTM") for node in graph.nodes)


def recurrent_weights_of(graph: OnnxFile, properties: Mapping[str, Any]) -> Weights:
    """Raises `UnsupportedGraphError` for anything but a recurrent student in int8.

    Args:
        properties: of the artifact; `embedding`, `units`, `projection` and `pooling` are read.
    """
    width, units, states = (int(properties[name]) for name in ("embedding", "units", "projection"))
    ends = properties["pooling"] == "ends"
    nodes = [node for node in graph.nodes if node.operator == "DynamicQuantizeLSTM"]
    if len(nodes) != 1:
        raise UnsupportedGraphError(f"it has {len(nodes)} LSTM in int8, not one")
    told = nodes[0].attributes
    if told != {"direction": "bidirectional", "hidden_size": units}:
        raise UnsupportedGraphError(f"its LSTM is another one: {told}")
    if tuple(nodes[0].inputs) != _INPUTS:
        raise UnsupportedGraphError(f"its LSTM reads {', '.join(nodes[0].inputs)}")
    if tuple(nodes[0].outputs) != (_ENDS if ends else _STEPS):
        raise UnsupportedGraphError(
            f"its LSTM gives {nodes[0].outputs}, not what pooling {properties['pooling']!r} reads"
        )
    r = Reader(graph, STEP)
    words, scales = _word_table(r, width)
    r.arrays += [words, scales]
    bias = r.need("lstm.B")
    maps = [_gates(r, name, rows, units) for name, rows in zip(_MAPS, (width, units), strict=True)]
    if bias.shape != (_WAYS, 2 * _GATES * units):
        raise UnsupportedGraphError(f"the LSTM's bias is {list(bias.shape)}")
    # Both biases of a gate are added to the same sum.
    added = bias.reshape(_WAYS, 2, _GATES * units).sum(axis=1)
    for way in range(_WAYS):
        for (values, steps), offsets in zip(maps, (added, np.zeros_like(added)), strict=True):
            r.arrays += [
                r.filled(r.filled(values[way], 0), 1, _GATES),
                *(r.filled(array[way].astype(np.float32), 0, _GATES) for array in (steps, offsets)),
            ]
    r.linear("projection", 2 * units, states, in_heads=_WAYS)
    labels = len(r.need("head.bias"))
    r.linear("head", states, labels)
    if r.function("state") != r.GELU:
        raise UnsupportedGraphError("its projection has another activation than GELU")
    check_rest(graph, r, _OPERATORS)
    shape = RecurrentShape(
        width, padded(width), units, padded(units), states, padded(states), labels, padded(labels), len(words), ends
    )
    return Weights(shape, (), r.arrays, len(words), labels, per_token=not ends, tables=2)


def _word_table(r: Reader, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in int8 with a scale each; an fp32 table is quantised here, row by row."""
    rows, scales, words = r.get("word_table_int8"), r.get("word_table_scales"), r.get("word_table")
    if words is not None:
        if words.ndim != 2 or words.dtype != np.float32:
            raise UnsupportedGraphError(f"its word table is {list(words.shape)} of {words.dtype}")
        scales = (np.maximum(np.abs(words).max(axis=1), 1e-12) / 127).astype(np.float32)
        rows = np.clip(np.rint(words / scales[:, None]), -127, 127).astype(np.int8)
    if rows is None or scales is None or rows.dtype != np.int8 or rows.shape[1:] != (width,):
        raise UnsupportedGraphError("it has no word table of the width in the manifest")
    if scales.dtype != np.float32 or scales.size != len(rows):
        raise UnsupportedGraphError("its word table has not one scale for each row")
    return np.ascontiguousarray(rows), np.ascontiguousarray(scales.reshape(-1))


def _gates(r: Reader, name: str, rows: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[2, rows, 4 units]` of a map to the gates, and their scales `[2, 4 units]`."""
    values, scales, zero = r.need(f"{name}.int8"), r.need(f"{name}.scale"), r.need(f"{name}.zero")
    if values.dtype != np.int8 or values.shape != (_WAYS, rows, _GATES * units):
        raise UnsupportedGraphError(f"{name} is {list(values.shape)} of {values.dtype}")
    if scales.shape != (_WAYS, _GATES * units) or zero.any() or values.min(initial=0) < -127:
        raise UnsupportedGraphError(f"{name} is not symmetric with one scale for each gate of each unit")
    return values, scales
