"""Scores that are compared across layers, and two controls: the size of the weights, and chance."""

from __future__ import annotations

import torch

from leanformer.compress.prune.costs import CostTable
from leanformer.compress.prune.importance import Scores
from leanformer.models.classifier import Classifier
from leanformer.models.surgery import head_norms, unit_norms
from leanformer.shapes.encoder import EncoderConfig


def magnitude_scores(model: Classifier) -> Scores:
    """Products of the norms of in- and outgoing weights."""
    depth = range(len(model.config.layers))
    return Scores(
        tuple(head_norms(model, i).detach().double() for i in depth),
        tuple(unit_norms(model, i).detach().double() for i in depth),
    )


def random_scores(config: EncoderConfig, seed: int) -> Scores:
    """Drawn evenly from 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    return Scores(
        tuple(torch.rand(layer.heads, generator=generator, dtype=torch.float64) for layer in config.layers),
        tuple(torch.rand(layer.ffn, generator=generator, dtype=torch.float64) for layer in config.layers),
    )


def worth_their_cost(scores: Scores, costs: CostTable) -> Scores:
    """Scores scaled so that in every layer all heads together, and all units together, are worth what they cost.

    Under a budget no layer and neither kind is then favoured for being cheap or for the scale of its scores, which
    for heads and units are not the same; the more a few stand out from the rest of their layer, the fewer it keeps.
    """

    def scaled(one: torch.Tensor, cost: float) -> torch.Tensor:
        return one * (cost / one.sum().clamp_min(1e-30))

    return Scores(
        tuple(scaled(head, float(table[-1])) for head, table in zip(scores.heads, costs.heads, strict=True)),
        tuple(scaled(unit, float(table[-1])) for unit, table in zip(scores.units, costs.units, strict=True)),
    )
