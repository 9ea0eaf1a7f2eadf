"""The best product of a rank, and ranks within a budget."""

from __future__ import annotations

import torch

from leanformer.compress.prune.low_rank import low_rank, ranks

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(12, 20, generator=GENERATOR)


def test_a_map_of_that_rank_is_exact():
    thin = torch.randn(12, 3, generator=GENERATOR) @ torch.randn(3, 20, generator=GENERATOR)
    stored = low_rank(thin, 3)
    assert 0 < (stored.weight - thin).norm() < 1e-3 * thin.norm(), "but for factors in fp16"
    assert stored.bits == 3 * 32 * 16


def test_the_error_is_that_of_eckart_and_young():
    values = torch.linalg.svdvals(WEIGHT)
    torch.testing.assert_close((low_rank(WEIGHT, 4).weight - WEIGHT).norm(), values[4:].norm(), rtol=1e-4, atol=0)


def test_full_rank_is_dense():
    assert torch.equal(low_rank(WEIGHT, 12).weight, WEIGHT) and low_rank(WEIGHT, 12).bits == 240 * 16


def test_ranks_go_where_energy_is_and_keep_the_budget():
    flat = torch.eye(16)
    steep = torch.diag(torch.tensor([10.0] + [0.01] * 15))
    found = ranks({"flat": flat, "steep": steep}, 0.5)
    assert found["steep"] == 1 and found["flat"] == 7
    assert sum(found.values()) * 32 <= 0.5 * 512 < (sum(found.values()) + 1) * 32
    assert ranks({"flat": flat, "steep": steep}, 1.0) == {"flat": 16, "steep": 16}


def test_energy_is_a_share_of_its_map():
    # A thousand times the weights are a million times the energy, and the same share.
    small, large = torch.eye(16), 1000 * torch.eye(16)
    assert ranks({"large": large, "small": small}, 0.5) == {"large": 4, "small": 4}
