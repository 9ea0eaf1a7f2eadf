"""ETC's global tokens read the whole text, and tokens read them beside their window."""

from __future__ import annotations

import torch

from leanformer.models.attention.etc import etc
from tests.models.attention.mixing import dense, heads, places, same


def test_it_is_two_dense_attentions():
    q, k, v, mask = heads()
    tokens = torch.randn(3, 2, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    asked, keys, values = (each.expand(2, -1, -1, -1) for each in tokens)
    both = torch.cat((torch.ones(2, 2, dtype=torch.bool), mask), dim=1)
    read = dense(asked, torch.cat((keys, k), 2), torch.cat((values, v), 2), both)
    i, j = places(11)
    allowed = torch.cat((torch.ones(11, 2, dtype=torch.bool), (i - j).abs() <= 2), dim=1)
    expected = dense(q, torch.cat((keys, k), 2), torch.cat((read, v), 2), both, allowed)
    same(etc(q, k, v, mask, window=2, tokens=tokens), expected, mask)
