"""The smallest weights go, and no others."""

from __future__ import annotations

import torch

from leanformer.compress.prune.magnitude import magnitude

WEIGHT = torch.tensor([[1.0, -4, 2, -3], [0.5, 8, -7, 6]])


def test_the_smallest_go():
    stored = magnitude(WEIGHT, density=0.5)
    assert stored.weight.tolist() == [[0, -4, 0, 0], [0, 8, -7, 6]]
    assert stored.bits == 4 * 16 + 8


def test_a_density_of_one_is_dense():
    assert torch.equal(magnitude(WEIGHT, density=1.0).weight, WEIGHT)
