"""Gamma moves, and the clipping range is the one with the least error."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.nearest import rounded_inputs
from leanformer.compress.quantise.outlier_suppression import migrated, outlier_suppression

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(5, 8, generator=GENERATOR)


def test_the_norm_without_its_weight_gives_the_same():
    gamma = torch.tensor([1.0, 20, 0.5, 1e-6, 1, 1, 1, 1])
    factor, x = migrated(gamma), torch.randn(6, 8, generator=GENERATOR) * gamma
    assert factor[1] == 20 and factor[3] == 1
    torch.testing.assert_close((x / factor) @ (WEIGHT * factor).T, x @ WEIGHT.T, rtol=1e-4, atol=1e-4)


def test_a_rare_peak_is_clipped_and_an_even_range_is_not():
    x = torch.randn(200, 8, generator=GENERATOR)
    x[0, 0] = 15
    peak = outlier_suppression(x, WEIGHT, bits=4)
    assert peak < 5
    clipped, whole = ((rounded_inputs(x, bits=4, peak=end) @ WEIGHT.T - x @ WEIGHT.T).norm() for end in (peak, x.max()))
    assert clipped < whole
    even = torch.where(torch.rand(200, 8, generator=GENERATOR) < 0.5, 1.0, -1.0)
    assert outlier_suppression(even, WEIGHT, bits=4) == 1
