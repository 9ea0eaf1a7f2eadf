"""SMYRF: products survive the lift to a sphere, and clusters are balanced."""

from __future__ import annotations

import torch

from leanformer.models.attention.smyrf import on_a_sphere, smyrf
from tests.models.attention.mixing import heads, weights_of


def test_the_lift_keeps_products_and_evens_norms():
    q, k, _, mask = heads(rows=1)
    left, right = on_a_sphere(q, k, mask)
    torch.testing.assert_close(left @ right.mT, q @ k.mT)
    norms = torch.cat((left, right), dim=2).norm(dim=-1)
    torch.testing.assert_close(norms, norms[:, :, :1].expand_as(norms))


def test_clusters_are_balanced_and_hold_the_large_products():
    q, k, _, mask = heads()
    weights = weights_of(smyrf, q, k, mask, chunk=3, rounds=1, seed=0)
    seen = (weights > 0)[0]
    assert sorted(seen.sum(dim=-1)[0].tolist()) == [2] * 2 + [3] * 9
    torch.testing.assert_close(weights.sum(dim=-1)[0], torch.ones(2, 11, dtype=torch.float64))
    scores = torch.exp(q @ k.mT / 2)[0] * seen
    torch.testing.assert_close(weights[0], scores / scores.sum(dim=-1, keepdim=True))


def test_rounds_see_more():
    q, k, _, mask = heads()
    counts = [int((weights_of(smyrf, q, k, mask, chunk=3, rounds=rounds, seed=0) > 0).sum()) for rounds in (1, 3)]
    assert counts[1] > counts[0]
