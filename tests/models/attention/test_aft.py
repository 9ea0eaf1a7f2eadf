"""AFT is a sum over pairs, channel by channel."""

from __future__ import annotations

import torch

from leanformer.models.attention.aft import aft
from tests.models.attention.mixing import heads


def test_it_is_the_sum_over_pairs():
    q, k, v, mask = heads(length=7)
    biases = torch.randn(2, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = aft(q, k, v, mask, biases=biases)
    for row, length in ((0, 7), (1, 3)):
        for i in range(length):
            weights = torch.exp(k[row, 0, :length] + biases[0, i, :length, None])
            mean = (weights * v[row, 0, :length]).sum(dim=0) / weights.sum(dim=0)
            torch.testing.assert_close(found[row, 0, i], torch.sigmoid(q[row, 0, i]) * mean)


def test_large_keys_and_biases_do_not_overflow():
    q, k, v, mask = heads()
    found = aft(q.float(), 500 * k.float(), v.float(), mask, biases=300 * torch.ones(2, 11, 11))
    assert found.isfinite().all()
