"""Softmax attention as graph nodes: one product for queries, keys and values, the scale folded into the query."""

from __future__ import annotations

from leanformer.export.graphs.graph import Graph
from leanformer.export.graphs.maps import linear_map, stacked
from leanformer.export.graphs.position_graph import Positions
from leanformer.models.attention.heads import MultiHead
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def softmax_nodes(
    g: Graph, module: MultiHead, asking: str, x: str, positions: Positions, name: str, *, first_token_only: bool
) -> str:
    """Attention from the tokens `asking` (all, or the first) to the tokens `x`."""
    size, base, heads = module.head_size, module.shape.rotary_base, module.heads
    width = heads * size
    scale = size**-0.5
    weight, bias = linear_map(module.query)
    query, key, value = (
        (weight * scale, None if bias is None else bias * scale),
        linear_map(module.key),
        linear_map(module.value),
    )

    def split_heads(y: str, part: str, order: list[int], count: int = heads) -> str:
        by_head = g.node("Reshape", [y, g.integers(0, 0, count, size)], f"{name}.{part}.heads")
        return str(g.node("Transpose", [by_head], f"{name}.{part}", perm=order))

    tokens_last, tokens_first = [0, 2, 3, 1], [0, 2, 1, 3]
    if first_token_only:
        q = g.linear(asking, *query, f"{name}.query")
        kv = g.linear(x, *stacked(key, value), f"{name}.key_value")
        k, v = g.node("Split", [kv], f"{name}.split", outputs=2, axis=-1, num_outputs=2)
    elif base is None:
        qkv = g.linear(x, *stacked(query, key, value), f"{name}.query_key_value")
        q, k, v = g.node("Split", [qkv], f"{name}.split", outputs=3, axis=-1, num_outputs=3)
    else:
        qkv = g.linear(x, *stacked(query, key, value), f"{name}.query_key_value")
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
    added = positions.bias(module.shape, first_token_only=first_token_only)
    scores = g.node("Add", [g.node("MatMul", [q, k], f"{name}.scores"), added], f"{name}.masked_scores")
    probabilities = g.node("Softmax", [scores], f"{name}.probabilities", axis=-1)
    context = g.node("MatMul", [probabilities, v], f"{name}.context")
    context = g.node("Transpose", [context], f"{name}.context.tokens", perm=[0, 2, 1, 3])
    context = g.node("Reshape", [context, g.integers(0, 0, width)], f"{name}.context.joined")
    return g.linear(context, *linear_map(module.output), f"{name}.attention_output")


def softmax_operators(config: EncoderConfig, shape: LayerShape, *, first_token_only: bool) -> dict[str, int]:
    """How many nodes of each operator the attention of a layer has, without rotation (see `position_operators`).

    Two linear maps and two products; if only the first token is computed, the query is a separate map.
    """
    rotary, biases, first = shape.rotary_base is not None, int(config.attention_bias), int(first_token_only)
    packed = int(rotary and not first_token_only)  # queries and keys are rotated together
    return {
        "MatMul": 4 + first,
        "Add": 1 + (2 + first) * biases,
        "Softmax": 1,
        # Keys are rotated before they are transposed.
        "Transpose": 4 + int(rotary and first_token_only),
        "Reshape": 4 - packed,
        "Split": 1 + packed,
    }
