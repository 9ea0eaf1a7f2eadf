"""Each query keeps its largest weights as they are."""

from __future__ import annotations

import torch

from leanformer.models.attention.weak_values import weak_values
from tests.models.attention.mixing import dense, heads, weights_of


def test_the_largest_weights_are_left_and_not_scaled():
    q, k, _, mask = heads()
    unit = torch.eye(11, dtype=torch.float64).expand(2, 2, 11, 11)
    whole, kept = dense(q, k, unit, mask), weights_of(weak_values, q, k, mask, kept=3)
    assert (kept[0] > 0).sum(dim=-1).eq(3).all()
    torch.testing.assert_close(kept[kept > 0], whole[kept > 0])
    torch.testing.assert_close(kept.sum(dim=-1)[0], whole[0].topk(3, dim=-1).values.sum(dim=-1))
