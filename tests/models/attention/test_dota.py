"""DOTA attends to the keys with the largest estimates."""

from __future__ import annotations

import torch

from leanformer.models.attention.dota import dota
from tests.models.attention.mixing import heads, weights_of


def test_few_keys_are_left_and_share_all_the_weight():
    q, k, _, mask = heads()
    weights = weights_of(dota, q, k, mask, kept=4, rank=2, seed=0)
    assert (weights > 0).sum(dim=-1).eq(4).all() and (weights[1, :, :, 7:] == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 2, 11, dtype=torch.float64))


def test_an_estimate_of_more_dimensions_finds_more_of_the_largest_scores():
    q, k, _, mask = heads(length=40, rows=1, size=16)
    best = torch.topk(q @ k.mT, 8, dim=-1).indices
    found = [
        sum(float(weights_of(dota, q, k, mask, kept=8, rank=rank, seed=seed).gather(-1, best).gt(0).double().mean())
            for seed in range(4)) for rank in (1, 8, 128)
    ]  # fmt: skip
    assert found[0] < found[1] < found[2]
