"""Three values a row, by the rule of ternary weight networks."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.ternary import ternary

WEIGHT = torch.tensor([[1.0, -0.2, 3, -4], [0.1, 0.1, 0.1, 0.1]])


def test_small_weights_are_zero_and_the_scale_is_the_mean_of_the_others_in_fp16():
    # The first row's mean is 2.05, and its cut 1.435.
    stored = ternary(WEIGHT)
    torch.testing.assert_close(stored.weight, torch.tensor([[0, 0, 3.5, -3.5], [0.0999756] * 4]))
    assert stored.bits == 13 + 2 * 16


def test_three_values_stay_as_they_are():
    once = ternary(torch.randn(6, 40, generator=torch.Generator().manual_seed(0))).weight
    torch.testing.assert_close(ternary(once).weight, once)
    assert all(len(row.unique()) == 3 for row in once)
