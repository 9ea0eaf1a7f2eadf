"""Our classifier as an ONNX graph: `input_ids`, `attention_mask` -> `logits`, with dynamic batch and length.

Differences to a traced model: query, key and value are one product; the scale of the scores is folded into the query;
reshapes copy their dynamic dimensions (0) instead of computing them; and if the head reads only the first token, the
last layer computes queries, attention output and feed-forward only for it.
"""

from __future__ import annotations

import numpy as np
import onnx

from leanformer.export.graphs.attention_kinds import attention_graph
from leanformer.export.graphs.feedforward_graph import feed_forward_nodes, feed_forward_operators
from leanformer.export.graphs.graph import Graph, array
from leanformer.export.graphs.maps import ACTIVATION_OPERATORS, activation_nodes, linear_map, norm_nodes
from leanformer.export.graphs.position_graph import Positions, position_operators
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.models.heads import TokenHead, VectorHead
from leanformer.shapes.encoder import EncoderConfig


def encoder_graph(model: Classifier, *, token_types: bool = False) -> onnx.ModelProto:
    """The graph of `model`; with `token_types` it has a third input `token_type_ids`, otherwise they are zero.

    Raises `ValueError` if token types are requested and the model has none.
    """
    config, g = model.config, Graph()
    if token_types and not config.token_types:
        raise ValueError(f"a {config.family} model has no token types")
    x = _embeddings(g, model, token_types)
    positions = Positions(g, model)
    last = len(config.layers) - 1
    for index, layer in enumerate(model.encoder.layers):
        assert isinstance(layer, Layer)
        first_only = index == last and config.head.pooling == "first"
        x = layer_nodes(g, layer, x, positions, config, f"layer{index}", first_token_only=first_only)
    if model.encoder.final_norm is not None:
        x = norm_nodes(g, x, model.encoder.final_norm, "final_norm")
    head_nodes(g, model, x)
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if token_types else [])
    each: list[str | int] = ["tokens"] if config.head.pooling == "none" else []
    return g.model({name: ["batch", "tokens"] for name in names}, {"logits": ["batch", *each, config.labels]})


def _embeddings(g: Graph, model: Classifier, token_types: bool) -> str:
    e = model.encoder.embeddings
    x = str(g.node("Gather", [g.constant("word_table", array(e.word.weight)), "input_ids"], "word"))
    types = None if e.token_type is None else array(e.token_type.weight)
    constant = None if types is None or token_types else types[0]  # the same for every token
    if e.position is not None:
        positions = array(e.position.weight)[e.offset :]
        positions = positions if constant is None else positions + constant
        x = g.node("Add", [x, position_nodes(g, g.constant("position_table", positions))], "embedded")
    elif constant is not None:
        x = g.node("Add", [x, g.constant("token_type", constant)], "embedded")
    if token_types and types is not None:
        kind = g.node("Gather", [g.constant("token_type_table", types), "token_type_ids"], "token_type")
        x = g.node("Add", [x, kind], "embedded_with_type")
    x = norm_nodes(g, x, e.norm, "embeddings")
    return x if e.projection is None else g.linear(x, *linear_map(e.projection), "embedding_projection")


def position_nodes(g: Graph, table: str) -> str:
    """The rows of the position table `[S, H]` for `input_ids` `[B, S]`."""
    length = g.node("Shape", ["input_ids"], "length", start=1, end=2)
    return str(g.node("Slice", [table, g.integers(0), length, g.integers(0)], "position"))


def layer_nodes(
    g: Graph, layer: Layer, x: str, positions: Positions, config: EncoderConfig, name: str, *, first_token_only: bool
) -> str:
    """One layer over `x`; with `first_token_only` it is computed only for the tokens that `positions.first` selects."""
    residual = positions.first(x, f"{name}.first") if first_token_only else x
    attended_to, asking = x, residual
    if config.norm_first and layer.shape.attention_norm:
        attended_to = asking = norm_nodes(g, x, layer.attention_norm, f"{name}.attention_norm")
        if first_token_only:
            asking = positions.first(attended_to, f"{name}.attention_norm.first")
    attend = attention_graph(layer.shape).nodes
    attended = attend(g, layer.attention, asking, attended_to, positions, name, first_token_only=first_token_only)
    x = g.node("Add", [residual, attended], f"{name}.attention_residual")
    if config.norm_first:
        normed = norm_nodes(g, x, layer.ffn_norm, f"{name}.ffn_norm")
        return str(g.node("Add", [x, feed_forward_nodes(g, layer.ffn, normed, name)], f"{name}.ffn_residual"))
    x = norm_nodes(g, x, layer.attention_norm, f"{name}.attention_norm")
    x = g.node("Add", [x, feed_forward_nodes(g, layer.ffn, x, name)], f"{name}.ffn_residual")
    return norm_nodes(g, x, layer.ffn_norm, f"{name}.ffn_norm")


def head_nodes(g: Graph, model: Classifier, x: str, *, axis: int = 1) -> None:
    """From hidden states to the output `logits`; first tokens have a dimension of size 1 at `axis`, which is removed.

    For a head without pooling, `logits` has the shape of the hidden states except for the last dimension.
    """
    head, shape = model.head, model.config.head
    if isinstance(head, TokenHead):
        g.node("Identity", [g.linear(x, *linear_map(head.classifier), "classifier")], "logits")
        return
    if shape.pooling == "first":
        x = g.node("Squeeze", [x, g.integers(axis)], "first_token")
    elif shape.pooling == "max":
        padding = g.node("Sub", ["mask.float", g.constant("real.one", np.ones(1, np.float32))], "mask.padding")
        lowered = g.node(
            "Mul",
            [
                g.node("Unsqueeze", [padding, g.integers(2)], "mask.by_token"),
                g.constant("real.far", np.full(1, 1e9, np.float32)),
            ],
            "far",
        )
        x = g.node("ReduceMax", [g.node("Add", [x, lowered], "real"), g.integers(1)], "max", keepdims=0)
    else:
        by_token = g.node("Unsqueeze", ["mask.float", g.integers(2)], "mask.by_token")
        summed = g.node("ReduceSum", [g.node("Mul", [x, by_token], "real"), g.integers(1)], "real.sum", keepdims=0)
        count = g.node("ReduceSum", ["mask.float", g.integers(1)], "mask.count", keepdims=1)
        x = g.node("Div", [summed, count], "mean")
    if isinstance(head, VectorHead):
        g.node("Identity", [x], "logits")
        return
    x = activation_nodes(g, g.linear(x, *linear_map(head.pooler), "pooler"), shape.activation, "pooled")
    if head.norm is not None:
        x = norm_nodes(g, x, head.norm, "head_norm")
    g.node("Identity", [g.linear(x, *linear_map(head.classifier), "classifier")], "logits")


def expected_operators(config: EncoderConfig, *, token_types: bool = False) -> dict[str, int]:
    """How many nodes of each operator the graph of such a model has; every export is checked against it."""
    layers, head = config.layers, config.head
    first = head.pooling == "first"
    counts = position_operators(config, first_token_only=first)
    parts: list[dict[str, int]] = [
        # embeddings
        {"Gather": 1, "LayerNormalization": 1},
        {"Shape": 1, "Slice": 1, "Add": 1} if config.position_table else {"Add": int(config.token_types > 0)},
        {"MatMul": 1, "Add": 1} if config.embedding is not None else {},
        # residual sums and norms
        {"Add": 2 * len(layers)},
        {"LayerNormalization": sum(1 + layer.attention_norm for layer in layers) + config.norm_first},
    ]
    for index, layer in enumerate(layers):
        first_only = first and index == len(layers) - 1
        parts += [attention_graph(layer).operators(config, layer, first_token_only=first_only)]
        parts += [feed_forward_operators(config)]
    if first:
        parts.append({"Slice": 1 + int(config.norm_first and layers[-1].attention_norm)})
    parts.append({"Identity": 1})
    if head.pooling == "none":
        parts.append({"MatMul": 1, "Add": 1})
    else:
        maximum = {"Sub": 1, "Unsqueeze": 1, "Mul": 1, "Add": 1, "ReduceMax": 1}
        mean = {"Unsqueeze": 1, "Mul": 1, "ReduceSum": 2, "Div": 1}
        parts.append({"Squeeze": 1} if first else maximum if head.pooling == "max" else mean)
    if head.pooling != "none" and not head.gives_vectors:
        parts.append({"MatMul": 2, "Add": 1 + head.bias, ACTIVATION_OPERATORS[head.activation]: 1})
        parts.append({"LayerNormalization": 1} if head.norm else {})
    if token_types:
        # Without a position table to add the constant to, the type table replaces its first row.
        parts.append({"Gather": 1, "Add": int(config.position_table)})
    for part in parts:
        counts.update(part)
    return {name: count for name, count in sorted(counts.items()) if count}
