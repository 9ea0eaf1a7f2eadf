"""Random feature attention: the weights of pairs, and the softmax of unit vectors in the mean."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from leanformer.models.attention.rfa import rfa, waves
from tests.models.attention.mixing import heads, same


def test_it_is_the_weights_of_pairs():
    q, k, v, mask = heads()
    weights = torch.einsum("bhif,bhjf->bhij", waves(q, 64, 0), waves(k, 64, 0)) * mask[:, None, None, :]
    same(rfa(q, k, v, mask, features=64, seed=0), weights / weights.sum(-1, keepdim=True) @ v, mask)


def test_features_estimate_the_gaussian_kernel():
    q, k, *_ = heads()
    found = waves(q, 50_000, 0) @ waves(k, 50_000, 0).mT
    distance = (F.normalize(q, dim=-1)[..., :, None, :] - F.normalize(k, dim=-1)[..., None, :, :]).pow(2).sum(-1)
    torch.testing.assert_close(found, torch.exp(-distance / 2), atol=0.03, rtol=0)
