"""The cost of a shape: tables of FLOPs or parameters per number of heads and units, layer by layer.

Costs are additive: a fixed part, plus the cost of the heads and of the feed-forward units of each layer. This is exact
for FLOPs and parameters, and accurate enough for time (latency_table.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.shapes.encoder import EncoderConfig, LayerShape


@dataclass(frozen=True)
class Widths:
    """How many heads and feed-forward units a layer keeps; its other properties are not specified."""

    heads: int
    ffn: int


@dataclass(frozen=True)
class CostTable:
    """The costs of every shape that a model can be narrowed to.

    Attributes:
        heads: per layer `[heads + 1]`, float64: the cost of each number of heads; never decreasing.
        units: per layer `[ffn + 1]`, the same for feed-forward units.
        fixed: the cost that does not depend on the shape.
        unit: the unit of the costs, such as "FLOPs" or "ms".
    """

    heads: tuple[np.ndarray, ...]
    units: tuple[np.ndarray, ...]
    fixed: float
    unit: str

    def of(self, layers: Sequence[LayerShape | Widths]) -> float:
        """The cost of these layers. There must be as many as the table has."""
        parts = zip(self.heads, self.units, layers, strict=True)
        return self.fixed + float(sum(heads[layer.heads] + units[layer.ffn] for heads, units, layer in parts))

    @property
    def full(self) -> float:
        """The cost of the complete model."""
        return self.fixed + float(sum(table[-1] for table in (*self.heads, *self.units)))


def flop_costs(config: EncoderConfig, tokens: int, *, first_token_only: bool = True) -> CostTable:
    """FLOPs of the layers for one text of `tokens` tokens, without the parts that pruning does not change.

    With `first_token_only`, count what an exported graph computes: if the head reads only the first token, units of the
    last layer cost almost nothing.
    """
    shape, layers = config.shape(first_token_only=first_token_only), range(len(config.layers))
    return _linear(
        config,
        [shape.head_flops(layer, tokens) for layer in layers],
        [shape.unit_flops(layer, tokens) for layer in layers],
        "FLOPs",
    )


def parameter_costs(config: EncoderConfig) -> CostTable:
    """Parameters of heads and units, without embeddings, norms and the head, which pruning does not change."""
    depth = len(config.layers)
    return _linear(config, [config.head_parameters] * depth, [config.unit_parameters] * depth, "parameters")


def _linear(config: EncoderConfig, head: Sequence[int], unit: Sequence[int], name: str) -> CostTable:
    return CostTable(
        tuple(np.arange(layer.heads + 1.0) * cost for layer, cost in zip(config.layers, head, strict=True)),
        tuple(np.arange(layer.ffn + 1.0) * cost for layer, cost in zip(config.layers, unit, strict=True)),
        0.0,
        name,
    )
