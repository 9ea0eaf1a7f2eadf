"""From a packed int8 graph to the arrays for the native engine."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from leanformer.runtime.onnx_file import OnnxFile

STEP = 16
"""All widths are filled up to a multiple of this with zeros."""
_FUNCTIONS = {"": 0, "Gelu": 1, "Gelu tanh": 2, "Relu": 3, "Tanh": 4}

# Operators of a packed post-norm encoder, and those that replace its linear maps in int8.
_OPERATORS = {
    *("Add", "Equal", "Gather", "Gelu", "Identity", "LayerNormalization", "MatMul", "Relu", "Reshape", "Softmax"),
    *("Split", "Squeeze", "Tanh", "Transpose", "Unsqueeze", "Where"),
    *("Cast", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "Max", "Mul", "Neg", "QuantizeLinear"),
    *("Reciprocal", "ReduceMax", "ReduceMin"),
}


class EncoderStruct(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "hidden", "hidden_padded", "embedding", "embedding_padded", "head_padded", "layers", "labels",
            "labels_padded", "activation", "head_activation", "projects", "normalises_head", "vocabulary", "positions",
            "types", "per_token",
        )),
        ("epsilon", ctypes.c_float),
    ]  # fmt: skip


class LayerStruct(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [("heads", ctypes.c_int32), ("ffn_padded", ctypes.c_int32)]


class UnsupportedGraphError(ValueError):
    """The graph computes something that the engine does not support."""


@dataclass
class Weights:
    """`arrays` in the order that encoder.cpp or recurrent.cpp expects; None is a null pointer.

    `positions` is None if the length is unlimited; `types` is 0 if token types are not read. With `per_token` there are
    logits for every token, not for every text. `tables` is the number of arrays, from the first, that are read in
    place; C++ converts the others to its own layout.
    """

    shape: ctypes.Structure
    layers: Sequence[LayerStruct]
    arrays: list[np.ndarray | None]
    vocabulary: int
    labels: int
    positions: int | None = None
    types: int = 0
    per_token: bool = False
    tables: int = 5


@dataclass
class Reader:
    """Takes constants out of a graph by name and records which ones."""

    GELU: ClassVar[int] = _FUNCTIONS["Gelu"]

    graph: OnnxFile
    head_size: int
    arrays: list[np.ndarray | None] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.made = {name: node for node in self.graph.nodes for name in node.outputs}

    def get(self, name: str) -> np.ndarray | None:
        self.used.add(name)
        return self.graph.constants.get(name)

    def need(self, name: str) -> np.ndarray:
        value = self.get(name)
        if value is None:
            raise UnsupportedGraphError(f"it has no constant {name!r}")
        return value

    def linear(
        self, name: str, width_in: int, width_out: int, in_heads: int | None = None, out_heads: int | None = None
    ) -> None:
        """A map of these widths, int8 with a scale per column; sizes are checked, as C++ might read past the end.

        With a number of heads, that side is a row of heads, each of which is padded.
        """
        weight, scale = self.get(f"{name}.weight.int8"), self.get(f"{name}.weight.scales")
        self.used.add(f"{name}.weight.zero")
        if weight is None:  # names given by ONNX Runtime's quantiser
            weight, scale = self.get(f"{name}.weight_quantized"), self.get(f"{name}.weight_scale")
            zero = self.get(f"{name}.weight_zero_point")
            if zero is not None and zero.any():
                raise UnsupportedGraphError(f"the weights of {name} are not symmetric")
        if weight is None or scale is None or weight.dtype != np.int8:
            raise UnsupportedGraphError(f"{name} is not in int8")
        bias = self.get(f"{name}.bias")
        if weight.shape != (width_in, width_out) or scale.size not in (1, width_out):
            raise UnsupportedGraphError(
                f"{name} is {list(weight.shape)}, not [{width_in}, {width_out}] as in the manifest"
            )
        if bias is not None and bias.shape != (width_out,):
            raise UnsupportedGraphError(f"the bias of {name} is {list(bias.shape)}, not [{width_out}]")
        if weight.min(initial=0) < -127:
            raise UnsupportedGraphError(f"{name} has a weight of -128")
        columns = np.broadcast_to(scale.reshape(-1), (width_out,))
        bias = np.zeros(width_out, np.float32) if bias is None else bias
        self.arrays += [
            self.filled(self.filled(weight, 0, in_heads), 1, out_heads),
            self.filled(columns.astype(np.float32), 0, out_heads),
            self.filled(bias.astype(np.float32), 0, out_heads),
        ]

    def norm(self, name: str, width: int) -> None:
        weight = self.need(f"{name}.weight")
        bias = self.get(f"{name}.bias")
        if weight.shape != (width,) or (bias is not None and bias.shape != (width,)):
            raise UnsupportedGraphError(f"the norm {name} is not {width} wide")
        for parameter in (weight, np.zeros_like(weight) if bias is None else bias):
            self.arrays.append(self.filled(parameter.astype(np.float32), 0))

    def filled(self, value: np.ndarray, axis: int, heads: int | None = None) -> np.ndarray:
        """Pad with zeros after each head, or at the end, to a multiple of STEP."""
        value = np.moveaxis(value, axis, -1)
        groups = value.reshape(*value.shape[:-1], heads or 1, -1)
        wide = np.zeros((*groups.shape[:-1], padded(groups.shape[-1])), value.dtype)
        wide[..., : groups.shape[-1]] = groups
        return np.ascontiguousarray(np.moveaxis(wide.reshape(*value.shape[:-1], -1), -1, axis))

    def function(self, name: str) -> int:
        node = self.made.get(name)
        kind = "" if node is None else node.operator
        if node is not None and node.attributes.get("approximate") == "tanh":
            kind += " tanh"
        if kind not in _FUNCTIONS or not kind:
            raise UnsupportedGraphError(f"it computes {kind or 'nothing'} where an activation is expected ({name})")
        return _FUNCTIONS[kind]


def padded(width: int) -> int:
    return -(-width // STEP) * STEP


def weights_of(graph: OnnxFile, properties: Mapping[str, Any]) -> Weights:
    """The weights of a packed post-norm encoder in int8 whose head reads the first token or maps every token.

    Raises `UnsupportedGraphError` for any other graph.

    Args:
        properties: of the artifact; `layers` and `head_size` are read.
    """
    if "segments" not in graph.inputs:
        raise UnsupportedGraphError("it does not take packs")
    per_token = "first" not in graph.inputs
    size, shapes = int(properties["head_size"]), [tuple(layer) for layer in properties["layers"]]
    r = Reader(graph, size)
    words, types = r.get("word_table"), r.get("token_type_table")
    rows, scales, places = r.get("word_table_int8"), r.get("word_table_scales"), r.need("position_table")
    table = rows if words is None else words
    if table is None:
        raise UnsupportedGraphError("it has no word table")
    width, hidden = table.shape[-1], int(properties["hidden"])
    _check_tables(words, rows, scales, places, types, width)
    r.arrays += [None if words is not None else rows, words, scales, places, types]
    r.norm("embeddings", width)
    projects = "embedding_projection.bias" in graph.constants
    if projects:
        r.linear("embedding_projection", width, hidden)
    elif width != hidden:
        raise UnsupportedGraphError(f"its embeddings are {width} wide, and its layers {hidden}")
    for index, (heads, ffn) in enumerate(shapes):
        name, inner = f"layer{index}", heads * size
        if index + 1 < len(shapes) or per_token:
            r.linear(f"{name}.query_key_value", hidden, 3 * inner, out_heads=3 * heads)
        else:
            r.linear(f"{name}.query", hidden, inner, out_heads=heads)
            r.linear(f"{name}.key_value", hidden, 2 * inner, out_heads=2 * heads)
        r.linear(f"{name}.attention_output", inner, hidden, in_heads=heads)
        r.norm(f"{name}.attention_norm", hidden)
        r.linear(f"{name}.up", hidden, ffn)
        r.linear(f"{name}.down", ffn, hidden)
        r.norm(f"{name}.ffn_norm", hidden)
    if not per_token:
        r.linear("pooler", hidden, hidden)
    normalises_head = not per_token and "head_norm.weight" in graph.constants
    if normalises_head:
        r.norm("head_norm", hidden)
    labels = len(r.need("classifier.bias"))
    r.linear("classifier", hidden, labels)
    check_rest(graph, r, _OPERATORS)
    bends = sum(
        node.operator in {function.split(" ")[0] for function in _FUNCTIONS if function} for node in graph.nodes
    )
    if bends != len(shapes) + (not per_token):
        raise UnsupportedGraphError(f"it has {bends} activation functions for {len(shapes)} layers and its head")
    activations = {r.function(f"layer{index}.activation") for index in range(len(shapes))}
    epsilons = {node.attributes["epsilon"] for node in graph.nodes if node.operator == "LayerNormalization"}
    if len(activations) != 1 or len(epsilons) != 1:
        raise UnsupportedGraphError("its layers differ in more than width")
    shape = EncoderStruct(
        hidden, padded(hidden), width, padded(width), padded(size), len(shapes), labels, padded(labels),
        activations.pop(), 0 if per_token else r.function("pooled"), projects, normalises_head, len(table),
        len(places), 0 if types is None else len(types), per_token, epsilons.pop(),
    )  # fmt: skip
    layers = [LayerStruct(heads, padded(ffn)) for heads, ffn in shapes]
    return Weights(shape, layers, r.arrays, shape.vocabulary, labels, shape.positions, shape.types, per_token)


def _check_tables(
    words: np.ndarray | None, rows: np.ndarray | None, scales: np.ndarray | None, places: np.ndarray,
    types: np.ndarray | None, width: int,
) -> None:  # fmt: skip
    """Raise `UnsupportedGraphError` unless each table has the right type and the same width as the others."""
    for name, table, kind in (("word", words, np.float32), ("word", rows, np.int8), ("position", places, np.float32),
                              ("token type", types, np.float32)):  # fmt: skip
        if table is not None and (table.ndim != 2 or table.shape[1] != width or table.dtype != kind):
            raise UnsupportedGraphError(f"its {name} table is {list(table.shape)} of {table.dtype}")
    if (
        words is None
        and rows is not None
        and (scales is None or scales.size != len(rows) or scales.dtype != np.float32)
    ):
        raise UnsupportedGraphError("its word table has not one scale for each row")


def check_rest(graph: OnnxFile, r: Reader, operators: set[str]) -> None:
    """Raise `UnsupportedGraphError` for unused constants that are not small, and for operators not in `operators`."""
    small = {name for name, value in graph.constants.items() if value.size <= 4}
    rest = sorted(set(graph.constants) - r.used - small)
    if rest:
        raise UnsupportedGraphError(f"it also has {', '.join(rest[:3])}")
    strange = sorted({node.operator for node in graph.nodes} - operators)
    if strange:
        raise UnsupportedGraphError(f"it also computes {', '.join(strange)}")
