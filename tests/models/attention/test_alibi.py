"""ALiBi is a bias by the distance, with the paper's slopes."""

from __future__ import annotations

import torch

from leanformer.models.attention.alibi import alibi
from tests.models.attention.mixing import dense, heads, places, same


def test_it_is_a_bias_by_the_distance():
    q, k, v, mask = heads(count=8)
    i, j = places(11)
    slopes = torch.tensor([0.5, 0.25, 0.125, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256], dtype=torch.float64)
    bias = -2 * slopes[:, None, None] * (i - j).abs()
    same(alibi(q, k, v, mask, steepness=2.0), dense(q, k, v, mask, bias=bias), mask)
