"""What a shape costs: tables of FLOPs or parameters per number of heads and units, layer by layer.

A cost is additive: a fixed part, and for every layer what its heads and what its feed-forward units add. That holds
exactly for FLOPs and parameters, and well enough for time (latency_table.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.shapes.encoder import EncoderConfig, LayerShape


@dataclass(frozen=True)
class Widths:
    """How many heads and feed-forward units a layer keeps; nothing is said of what else it is."""

    heads: int
    ffn: int


@dataclass(frozen=True)
class CostTable:
    """Costs of every shape that a model can be narrowed to.

    Attributes:
        heads: per layer `[heads + 1]`, float64: the cost of so many heads; never falling.
        units: per layer `[ffn + 1]`, the same for feed-forward units.
        fixed: what is there whatever the shape.
        unit: what is counted, such as "FLOPs" or "ms".
    """

    heads: tuple[np.ndarray, ...]
    units: tuple[np.ndarray, ...]
    fixed: float
    unit: str

    def of(self, layers: Sequence[LayerShape | Widths]) -> float:
        """The cost of these layers, as many as the table has."""
        parts = zip(self.heads, self.units, layers, strict=True)
        return self.fixed + float(sum(heads[layer.heads] + units[layer.ffn] for heads, units, layer in parts))

    @property
    def full(self) -> float:
        """The cost of the whole model."""
        return self.fixed + float(sum(table[-1] for table in (*self.heads, *self.units)))


def flop_costs(config: EncoderConfig, tokens: int, *, first_token_only: bool = True) -> CostTable:
    """FLOPs of the layers over one text of `tokens` tokens; what pruning does not change is left out.

    With `first_token_only` as an exported graph computes it: where the head reads the first token alone, units of the
    last layer cost next to nothing.
    """
    shape, layers = config.shape(first_token_only=first_token_only), range(len(config.layers))
    return _linear(
        config,
        [shape.head_flops(layer, tokens) for layer in layers],
        [shape.unit_flops(layer, tokens) for layer in layers],
        "FLOPs",
    )


def parameter_costs(config: EncoderConfig) -> CostTable:
    """Parameters of heads and units; embeddings, norms and the head are left out, for nothing here changes them."""
    depth = len(config.layers)
    return _linear(config, [config.head_parameters] * depth, [config.unit_parameters] * depth, "parameters")


def _linear(config: EncoderConfig, head: Sequence[int], unit: Sequence[int], name: str) -> CostTable:
    return CostTable(
        tuple(np.arange(layer.heads + 1.0) * each for layer, each in zip(config.layers, head, strict=True)),
        tuple(np.arange(layer.ffn + 1.0) * each for layer, each in zip(config.layers, unit, strict=True)),
        0.0,
        name,
    )
