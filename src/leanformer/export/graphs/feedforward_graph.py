"""The feed-forward block of a layer as graph nodes."""

from __future__ import annotations

from leanformer.export.graphs.graph import Graph
from leanformer.export.graphs.maps import ACTIVATION_OPERATORS, activation_nodes, linear_map, stacked
from leanformer.models.feedforward.dense import FeedForward
from leanformer.shapes.encoder import EncoderConfig


def feed_forward_nodes(g: Graph, ffn: FeedForward, x: str, name: str) -> str:
    """The block over `x`; a gate and the parallel map are one product."""
    if ffn.gate is None:
        active = activation_nodes(
            g, g.linear(x, *linear_map(ffn.up), f"{name}.up"), ffn.activation, f"{name}.activation"
        )
    else:
        both = g.linear(x, *stacked(linear_map(ffn.gate), linear_map(ffn.up)), f"{name}.gate_up")
        gate, up = g.node("Split", [both], f"{name}.gate_up.split", outputs=2, axis=-1, num_outputs=2)
        active = activation_nodes(g, gate, ffn.activation, f"{name}.activation")
        active = str(g.node("Mul", [active, up], f"{name}.gated"))
    return g.linear(active, *linear_map(ffn.down), f"{name}.down")


def feed_forward_operators(config: EncoderConfig) -> dict[str, int]:
    """How many nodes of each operator the block of one layer has."""
    gate = int(config.gated_ffn)
    counts = {"MatMul": 2, "Add": 2 * config.ffn_bias, "Split": gate, "Mul": gate}
    return counts | {ACTIVATION_OPERATORS[config.activation]: 1}
