"""Performer's features: the weights of pairs, and softmax in the mean."""

from __future__ import annotations

import torch

from leanformer.models.attention.performer import feature_maps, orthogonal, performer
from tests.models.attention.mixing import dense, heads, same


def test_it_is_the_weights_of_pairs():
    q, k, v, mask = heads()
    left, right = feature_maps(q, k, mask, 8, 0)
    weights = torch.einsum("bhif,bhjf->bhij", left, right) * mask[:, None, None, :]
    same(performer(q, k, v, mask, features=8, seed=0), weights / weights.sum(-1, keepdim=True) @ v, mask)


def test_more_features_are_nearer_to_softmax():
    q, k, v, mask = heads(size=16)
    q, k = q / 2, k / 2
    exact = dense(q, k, v, mask)
    errors = [
        sum(float((performer(q, k, v, mask, features=count, seed=seed) - exact)[0].abs().mean()) for seed in range(3))
        for count in (16, 128, 1024)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[2] / 3 < 0.02


def test_directions_are_orthogonal():
    directions = orthogonal(4, 6, 0).double()
    products = directions[:4] @ directions[:4].mT
    torch.testing.assert_close(products, torch.diag(products.diagonal()), atol=1e-5, rtol=0)
