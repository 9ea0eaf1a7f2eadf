"""Mega's moving averages are their recurrence, in both directions, before attention within chunks."""

from __future__ import annotations

import torch

from leanformer.models.attention.mega import mega, moving_average
from tests.models.attention.mixing import dense, heads, places, same


def test_the_averages_are_their_recurrence():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 7, 3, dtype=torch.float64, generator=generator)
    share, damping = torch.rand(2, 2, 3, 4, dtype=torch.float64, generator=generator)
    into, out = torch.randn(2, 2, 3, 4, dtype=torch.float64, generator=generator)
    found = moving_average(x, torch.ones(1, 7, dtype=torch.bool), share, damping, into, out)
    expected = torch.zeros(7, 3, dtype=torch.float64)
    for way, order in ((0, range(7)), (1, range(6, -1, -1))):
        state = torch.zeros(3, 4, dtype=torch.float64)
        for t in order:
            state = share[way] * into[way] * x[0, t, :, None] + (1 - share[way] * damping[way]) * state
            expected[t] += (out[way] * state).sum(dim=-1)
    torch.testing.assert_close(found[0], expected)


def test_attention_is_within_chunks():
    q, k, v, mask = heads()
    i, j = places(11)
    same(mega(q, k, v, mask, chunk=3), dense(q, k, v, mask, i // 3 == j // 3), mask)
