"""From the int8 graph of an encoder to the arrays for the native engine."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.exits import Exits
from leanformer.runtime.native.exits import add_heads
from leanformer.runtime.native.places import Places
from leanformer.runtime.native.reader import Reader, UnsupportedGraphError, check_rest, padded
from leanformer.runtime.onnx_file import OnnxFile

# Operators of an encoder's graph, packed or padded, and those that replace its linear maps in int8.
_OPERATORS = {
    *("Abs", "Add", "Cast", "Concat", "Div", "Equal", "Gather", "Gelu", "Greater", "Identity", "LayerNormalization"),
    *("MatMul", "Mul", "Neg", "Range", "ReduceSum", "Relu", "Reshape", "Shape", "Slice", "Softmax", "Split", "Squeeze"),
    *("Sub", "Tanh", "Transpose", "Unsqueeze", "Where"),
    *("DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "Max", "QuantizeLinear", "Reciprocal"),
    *("ReduceMax", "ReduceMin"),
}
_FIRST, _MEAN, _EVERY = range(3)  # what the head reads, as in encoder.h


class EncoderStruct(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "hidden", "hidden_padded", "embedding", "embedding_padded", "head_size", "head_padded", "layers", "labels",
            "labels_padded", "activation", "head_activation", "projects", "normalises_head", "vocabulary", "positions",
            "types", "pooling", "vectors", "norm_first", "gated", "tables", "bias_width",
        )),
        ("epsilon", ctypes.c_float),
    ]  # fmt: skip


class LayerStruct(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [
        (name, ctypes.c_int32) for name in ("heads", "ffn_padded", "bias", "cosines", "sines", "window", "exits")
    ]


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


def weights_of(graph: OnnxFile, properties: Mapping[str, Any], exits: Exits | None = None) -> Weights:
    """The weights of an encoder in int8: post-norm or pre-norm, with any of our heads.

    Raises `UnsupportedGraphError` for any other graph.

    Args:
        properties: of the artifact; `layers`, `head_size` and `hidden` are read.
        exits: its early exits, whose heads are added; None: none are asked.
    """
    if not {"segments", "attention_mask"} & set(graph.inputs):
        raise UnsupportedGraphError("it takes neither packs nor padded rows")
    size, hidden = int(properties["head_size"]), int(properties["hidden"])
    shapes = [tuple(layer) for layer in properties["layers"]]
    r = Reader(graph, size)
    pooling = _FIRST if "first_token" in r.made else _MEAN if "mean" in r.made else _EVERY
    norm_first = "final_norm.weight" in graph.constants
    gated = "layer0.gate_up.matmul" in r.made
    positions = Places(r)
    of_layers = [positions.of_layer(index, heads) for index, (heads, _) in enumerate(shapes)]
    words, places, types = _tables(r)
    width = words.shape[-1]
    longest = _longest(places, positions.positions)
    r.arrays += positions.tables
    tables = len(r.arrays)
    norms = _Norms(r, hidden)
    norms.read("embeddings", width)
    projects = "embedding_projection.bias" in graph.constants
    if projects:
        r.linear("embedding_projection", width, hidden)
    elif width != hidden:
        raise UnsupportedGraphError(f"its embeddings are {width} wide, and its layers {hidden}")
    norms.read("layer0.attention_norm" if norm_first and "layer0.attention_norm.weight" in graph.constants else None)
    for index, (heads, ffn) in enumerate(shapes):
        name, inner, last = f"layer{index}", heads * size, index + 1 == len(shapes)
        if last and pooling == _FIRST:
            r.linear(f"{name}.query", hidden, inner, out_heads=heads)
            r.linear(f"{name}.key_value", hidden, 2 * inner, out_heads=2 * heads)
        else:
            r.linear(f"{name}.query_key_value", hidden, 3 * inner, out_heads=3 * heads)
        r.linear(f"{name}.attention_output", inner, hidden, in_heads=heads)
        # Of a pre-norm layer, the norms of what comes next.
        norms.read(f"{name}.ffn_norm" if norm_first else f"{name}.attention_norm")
        if gated:
            r.linear(f"{name}.gate_up", hidden, 2 * ffn, out_heads=2)
        else:
            r.linear(f"{name}.up", hidden, ffn)
        r.linear(f"{name}.down", ffn, hidden)
        following = "final_norm" if last else f"layer{index + 1}.attention_norm"
        norms.read(following if norm_first else f"{name}.ffn_norm")
    vectors = pooling != _EVERY and "classifier.bias" not in graph.constants
    maps_pooled = pooling != _EVERY and not vectors
    if maps_pooled:
        r.linear("pooler", hidden, hidden)
    normalises_head = maps_pooled and "head_norm.weight" in graph.constants
    if normalises_head:
        norms.read("head_norm")
    labels = hidden if vectors else len(r.need("classifier.bias"))
    if not vectors:
        r.linear("classifier", hidden, labels)
    check_rest(graph, r, _OPERATORS)
    if r.bends != len(shapes) + maps_pooled:
        raise UnsupportedGraphError(f"it has {r.bends} activation functions for {len(shapes)} layers and its head")
    if (r.count("LayerNormalization"), r.count("Softmax")) != (norms.count, len(shapes)):
        raise UnsupportedGraphError(f"it has other norms or attention than {len(shapes)} such layers")
    activations = {r.function(f"layer{index}.activation") for index in range(len(shapes))}
    epsilons = {node.attributes["epsilon"] for node in graph.nodes if node.operator == "LayerNormalization"}
    if len(activations) != 1 or len(epsilons) != 1:
        raise UnsupportedGraphError("its layers differ in more than width")
    shape = EncoderStruct(
        hidden, padded(hidden), width, padded(width), size, padded(size), len(shapes), labels, padded(labels),
        activations.pop(), r.function("pooled") if maps_pooled else 0, projects, normalises_head, len(words), longest,
        0 if types is None else len(types), pooling, vectors, norm_first, gated, len(positions.tables),
        positions.bias_width, epsilons.pop(),
    )  # fmt: skip
    if exits is not None:
        if norm_first or pooling == _EVERY or vectors:
            raise UnsupportedGraphError("early exits are of post-norm encoders with one label a text")
        add_heads(r, exits, hidden, labels, len(shapes))
    behind = () if exits is None else exits.layers
    layers = [
        LayerStruct(heads, padded(ffn), *of, number in behind)
        for number, ((heads, ffn), of) in enumerate(zip(shapes, of_layers, strict=True), 1)
    ]
    return Weights(shape, layers, r.arrays, len(words), labels, longest, shape.types, pooling == _EVERY, tables)


@dataclass
class _Norms:
    """Reads norms, and counts them."""

    r: Reader
    hidden: int
    count: int = 0

    def read(self, name: str | None, width: int | None = None) -> None:
        """None is a norm that there is not."""
        if name is None:
            self.r.arrays += [None, None]
            return
        self.r.norm(name, width or self.hidden)
        self.count += 1


def _tables(r: Reader) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Take the tables of embeddings; returns those of words, positions and token types.

    Raises `UnsupportedGraphError` unless each table has the right type and the same width as the others.
    """
    words, types, places = r.get("word_table"), r.get("token_type_table"), r.get("position_table")
    rows, scales = r.get("word_table_int8"), r.get("word_table_scales")
    table = rows if words is None else words
    if table is None:
        raise UnsupportedGraphError("it has no word table")
    width = table.shape[-1]
    for name, values, kind in (("word", words, np.float32), ("word", rows, np.int8), ("position", places, np.float32),
                             ("token type", types, np.float32)):  # fmt: skip
        if values is not None and (values.ndim != 2 or values.shape[1] != width or values.dtype != kind):
            raise UnsupportedGraphError(f"its {name} table is {list(values.shape)} of {values.dtype}")
    if words is None and (scales is None or scales.size != len(table) or scales.dtype != np.float32):
        raise UnsupportedGraphError("its word table has not one scale for each row")
    r.arrays += [None if words is not None else rows, words, scales, places, types]
    return table, places, types


def _longest(places: np.ndarray | None, inside: int | None) -> int:
    """The longest text, from the table of positions and from what attention has."""
    known = {count for count in (None if places is None else len(places), inside) if count is not None}
    if len(known) != 1:
        raise UnsupportedGraphError(f"its tables of positions are for {sorted(known) or 'no'} tokens")
    return known.pop()
