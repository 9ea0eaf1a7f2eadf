"""Our classifier as an ONNX graph: `input_ids`, `attention_mask` -> `logits`, with dynamic batch and length.

What differs from a traced model: query, key and value are one product; the scale of the scores is folded into the
query; reshapes copy their dynamic dimensions (0) instead of computing them; and where the head reads nothing but the
first token, the last layer computes queries, attention output and feed-forward for it alone.
"""

from __future__ import annotations

import numpy as np
import onnx
from torch import nn

from leanformer.export.graphs.graph import Graph, array
from leanformer.export.graphs.position_graph import Positions, position_operators
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.models.feedforward.dense import FeedForward
from leanformer.models.heads import TokenHead, VectorHead
from leanformer.shapes.encoder import EncoderConfig

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "gelu": "Gelu", "gelu_tanh": "Gelu"}
_Map = tuple[np.ndarray, np.ndarray | None]


def encoder_graph(model: Classifier, *, token_types: bool = False) -> onnx.ModelProto:
    """The graph of `model`; with `token_types` it has the third input `token_type_ids`, else they count as zero.

    Raises `ValueError` when token types are asked for and the model has none.
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
    """One layer over `x`; with `first_token_only` it is computed for the tokens that `positions.first` picks of it."""
    residual = positions.first(x, f"{name}.first") if first_token_only else x
    attended_to, asking = x, residual
    if config.norm_first and layer.shape.attention_norm:
        attended_to = asking = norm_nodes(g, x, layer.attention_norm, f"{name}.attention_norm")
        if first_token_only:
            asking = positions.first(attended_to, f"{name}.attention_norm.first")
    attended = _attention(g, layer, asking, attended_to, positions, config, name, first_token_only=first_token_only)
    x = g.node("Add", [residual, attended], f"{name}.attention_residual")
    if config.norm_first:
        normed = norm_nodes(g, x, layer.ffn_norm, f"{name}.ffn_norm")
        return str(g.node("Add", [x, _feed_forward(g, layer.ffn, normed, name)], f"{name}.ffn_residual"))
    x = norm_nodes(g, x, layer.attention_norm, f"{name}.attention_norm")
    x = g.node("Add", [x, _feed_forward(g, layer.ffn, x, name)], f"{name}.ffn_residual")
    return norm_nodes(g, x, layer.ffn_norm, f"{name}.ffn_norm")


def _attention(
    g: Graph, layer: Layer, asking: str, x: str, positions: Positions, config: EncoderConfig, name: str, *,
    first_token_only: bool,
) -> str:  # fmt: skip
    """Attention from the tokens `asking` (all, or the first one) to the tokens `x`."""
    a, size, base = layer.attention, config.head_size, layer.shape.rotary_base
    heads, width = a.heads, a.heads * size
    scale = size**-0.5
    weight, bias = linear_map(a.query)
    query, key, value = (weight * scale, None if bias is None else bias * scale), linear_map(a.key), linear_map(a.value)

    def split_heads(y: str, part: str, order: list[int], count: int = heads) -> str:
        by_head = g.node("Reshape", [y, g.integers(0, 0, count, size)], f"{name}.{part}.heads")
        return str(g.node("Transpose", [by_head], f"{name}.{part}", perm=order))

    tokens_last, tokens_first = [0, 2, 3, 1], [0, 2, 1, 3]
    if first_token_only:
        q = g.linear(asking, *query, f"{name}.query")
        kv = g.linear(x, *_stacked(key, value), f"{name}.key_value")
        k, v = g.node("Split", [kv], f"{name}.split", outputs=2, axis=-1, num_outputs=2)
    elif base is None:
        qkv = g.linear(x, *_stacked(query, key, value), f"{name}.query_key_value")
        q, k, v = g.node("Split", [qkv], f"{name}.split", outputs=3, axis=-1, num_outputs=3)
    else:
        qkv = g.linear(x, *_stacked(query, key, value), f"{name}.query_key_value")
        qk, v = g.node("Split", [qkv, g.integers(2 * width, width)], f"{name}.split", outputs=2, axis=-1)
    if base is None:
        q, k = split_heads(q, "q", tokens_first), split_heads(k, "k", tokens_last)
    else:
        if first_token_only:  # its angle is zero
            q, k = split_heads(q, "q", tokens_first), split_heads(k, "k.straight", tokens_first)
            k = positions.rotated(k, base, f"{name}.k")
        else:
            qk = positions.rotated(split_heads(qk, "qk", tokens_first, 2 * heads), base, f"{name}.qk")
            q, k = g.node("Split", [qk], f"{name}.qk.split", outputs=2, axis=1, num_outputs=2)
        k = g.node("Transpose", [k], f"{name}.k", perm=[0, 1, 3, 2])
    v = split_heads(v, "v", tokens_first)
    added = positions.bias(layer.shape, first_token_only=first_token_only)
    scores = g.node("Add", [g.node("MatMul", [q, k], f"{name}.scores"), added], f"{name}.masked_scores")
    probabilities = g.node("Softmax", [scores], f"{name}.probabilities", axis=-1)
    context = g.node("MatMul", [probabilities, v], f"{name}.context")
    context = g.node("Transpose", [context], f"{name}.context.tokens", perm=[0, 2, 1, 3])
    context = g.node("Reshape", [context, g.integers(0, 0, width)], f"{name}.context.joined")
    return g.linear(context, *linear_map(a.output), f"{name}.attention_output")


def _feed_forward(g: Graph, ffn: FeedForward, x: str, name: str) -> str:
    if ffn.gate is None:
        active = _activation(g, g.linear(x, *linear_map(ffn.up), f"{name}.up"), ffn.activation, f"{name}.activation")
    else:
        both = g.linear(x, *_stacked(linear_map(ffn.gate), linear_map(ffn.up)), f"{name}.gate_up")
        gate, up = g.node("Split", [both], f"{name}.gate_up.split", outputs=2, axis=-1, num_outputs=2)
        active = _activation(g, gate, ffn.activation, f"{name}.activation")
        active = str(g.node("Mul", [active, up], f"{name}.gated"))
    return g.linear(active, *linear_map(ffn.down), f"{name}.down")


def head_nodes(g: Graph, model: Classifier, x: str, *, axis: int = 1) -> None:
    """From hidden states to the output `logits`; first tokens alone stand along `axis`, which has one entry.

    Of a head that does not pool they have the shape of the hidden states but for the last dimension.
    """
    head, shape = model.head, model.config.head
    if isinstance(head, TokenHead):
        g.node("Identity", [g.linear(x, *linear_map(head.classifier), "classifier")], "logits")
        return
    if shape.pooling == "first":
        x = g.node("Squeeze", [x, g.integers(axis)], "first_token")
    else:
        by_token = g.node("Unsqueeze", ["mask.float", g.integers(2)], "mask.by_token")
        summed = g.node("ReduceSum", [g.node("Mul", [x, by_token], "real"), g.integers(1)], "real.sum", keepdims=0)
        count = g.node("ReduceSum", ["mask.float", g.integers(1)], "mask.count", keepdims=1)
        x = g.node("Div", [summed, count], "mean")
    if isinstance(head, VectorHead):
        g.node("Identity", [x], "logits")
        return
    x = _activation(g, g.linear(x, *linear_map(head.pooler), "pooler"), shape.activation, "pooled")
    if head.norm is not None:
        x = norm_nodes(g, x, head.norm, "head_norm")
    g.node("Identity", [g.linear(x, *linear_map(head.classifier), "classifier")], "logits")


def expected_operators(config: EncoderConfig, *, token_types: bool = False) -> dict[str, int]:
    """How many nodes of each operator the graph of such a model has; every export is checked against it.

    Per layer 6 products (4 linear maps on packed queries, keys and values; 2 in attention), and one more in a last
    layer that is computed for the first token alone, whose query is then computed apart; 2 in the head.
    """
    layers, last, head = len(config.layers), config.layers[-1], config.head
    first, relu_or_gelu = head.pooling == "first", _ACTIVATIONS[config.activation]
    counts = position_operators(config, first_token_only=first)
    parts: list[dict[str, int]] = [
        # embeddings
        {"Gather": 1, "LayerNormalization": 1},
        {"Shape": 1, "Slice": 1, "Add": 1} if config.position_table else {"Add": int(config.token_types > 0)},
        {"MatMul": 1, "Add": 1} if config.embedding is not None else {},
        # attention, feed-forward, residual sums
        {"MatMul": 6 * layers, "Add": 3 * layers, "Softmax": layers, "Transpose": 4 * layers, "Reshape": 4 * layers},
        {"Split": layers, relu_or_gelu: layers},
        {"Add": 2 * layers} if config.attention_bias else {},
        {"Add": 2 * layers} if config.ffn_bias else {},
        {"Split": layers, "Mul": layers} if config.gated_ffn else {},
        {"LayerNormalization": sum(1 + one.attention_norm for one in config.layers) + config.norm_first},
    ]
    parts.append({"Identity": 1})
    if head.pooling == "none":
        parts.append({"MatMul": 1, "Add": 1})
    else:
        parts.append({"Squeeze": 1} if first else {"Unsqueeze": 1, "Mul": 1, "ReduceSum": 2, "Div": 1})
    if head.pooling != "none" and not head.gives_vectors:
        parts.append({"MatMul": 2, "Add": 1 + head.bias, _ACTIVATIONS[head.activation]: 1})
        parts.append({"LayerNormalization": 1} if head.norm else {})
    # Rotary layers pack queries and keys, and turn keys before they are transposed.
    packed = sum(one.rotary_base is not None for one in (config.layers[:-1] if first else config.layers))
    parts.append({"Split": packed, "Reshape": -packed})
    if first:
        parts.append({"MatMul": 1, "Add": int(config.attention_bias), "Slice": 1})
        parts.append({"Slice": int(config.norm_first and last.attention_norm)})
        parts.append({"Transpose": int(last.rotary_base is not None)})
    if token_types:
        # Without positions to add the constant to, the type's table takes the place of its first row.
        parts.append({"Gather": 1, "Add": int(config.position_table)})
    for part in parts:
        counts.update(part)
    return {name: count for name, count in sorted(counts.items()) if count}


def _activation(g: Graph, x: str, kind: str, name: str) -> str:
    if _ACTIVATIONS[kind] == "Gelu":
        return str(g.node("Gelu", [x], name, approximate="tanh" if kind == "gelu_tanh" else "none"))
    return str(g.node(_ACTIVATIONS[kind], [x], name))


def norm_nodes(g: Graph, x: str, norm: nn.Module, name: str) -> str:
    assert isinstance(norm, nn.LayerNorm)
    return g.norm(x, array(norm.weight), None if norm.bias is None else array(norm.bias), norm.eps, name)


def linear_map(linear: nn.Linear) -> _Map:
    return array(linear.weight), None if linear.bias is None else array(linear.bias)


def _stacked(*maps: _Map) -> _Map:
    """Several linear maps of the same input as one."""
    biases = [bias for _, bias in maps if bias is not None]
    return np.concatenate([weight for weight, _ in maps]), np.concatenate(biases) if biases else None
