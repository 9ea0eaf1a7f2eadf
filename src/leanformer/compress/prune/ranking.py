"""Scores that are comparable across layers, and two controls: weight magnitude and random scores."""

from __future__ import annotations

import torch

from leanformer.compress.prune.costs import CostTable
from leanformer.compress.prune.importance import Scores
from leanformer.models.classifier import Classifier
from leanformer.models.surgery import head_norms, unit_norms
from leanformer.shapes.encoder import EncoderConfig


def magnitude_scores(model: Classifier) -> Scores:
    """Products of the norms of incoming and outgoing weights."""
    depth = range(len(model.config.layers))
    return Scores(
        tuple(head_norms(model, i).detach().double() for i in depth),
        tuple(unit_norms(model, i).detach().double() for i in depth),
    )


def random_scores(config: EncoderConfig, seed: int) -> Scores:
    """Scores drawn uniformly from 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    return Scores(
        tuple(torch.rand(layer.heads, generator=generator, dtype=torch.float64) for layer in config.layers),
        tuple(torch.rand(layer.ffn, generator=generator, dtype=torch.float64) for layer in config.layers),
    )


def worth_their_cost(scores: Scores, costs: CostTable) -> Scores:
    """Scale the scores so that, in every layer, the sum over all heads, and over all units, equals their cost.

    Under a budget, no layer is then favoured for being cheap, and neither heads nor units for the scale of their
    scores,
    which differs between the two. The more a few gates stand out from the rest of their layer, the fewer it keeps.
    """

    def scaled(score: torch.Tensor, cost: float) -> torch.Tensor:
        return score * (cost / score.sum().clamp_min(1e-30))

    return Scores(
        tuple(scaled(head, float(table[-1])) for head, table in zip(scores.heads, costs.heads, strict=True)),
        tuple(scaled(unit, float(table[-1])) for unit, table in zip(scores.units, costs.units, strict=True)),
    )
