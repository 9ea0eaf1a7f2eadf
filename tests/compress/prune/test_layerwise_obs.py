"""A map with zeros gives nearly what it gave, nearer than with the same zeros and no refit."""

from __future__ import annotations

import torch

from leanformer.compress.prune.layerwise_obs import layerwise_obs
from leanformer.compress.prune.magnitude import magnitude

GENERATOR = torch.Generator().manual_seed(0)
MIXED = torch.randn(12, 12, generator=GENERATOR)
INPUTS = torch.randn(200, 12, generator=GENERATOR) @ MIXED
WEIGHT = torch.randn(8, 12, generator=GENERATOR)
MOMENT = INPUTS.T @ INPUTS / len(INPUTS)


def error(weight: torch.Tensor) -> float:
    return float((INPUTS @ (weight - WEIGHT).T).square().mean())


def test_outputs_are_kept_better_than_by_magnitude():
    stored = layerwise_obs(WEIGHT, MOMENT, density=0.5)
    assert int((stored.weight != 0).sum()) == 48 and stored.bits == 48 * 16 + 96
    assert error(stored.weight) < 0.8 * error(magnitude(WEIGHT, density=0.5).weight)


def test_the_kept_weights_are_refitted():
    stored = layerwise_obs(WEIGHT, MOMENT, density=0.5)
    assert error(stored.weight) < 0.8 * error(WEIGHT * (stored.weight != 0))


def test_a_density_of_one_is_dense():
    torch.testing.assert_close(layerwise_obs(WEIGHT, MOMENT, density=1.0).weight, WEIGHT)
