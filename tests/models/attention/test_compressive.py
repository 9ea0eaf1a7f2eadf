"""The compressive memory is means of older tokens; with means of one token it is Transformer-XL."""

from __future__ import annotations

import torch

from leanformer.models.attention.compressive import compressive
from leanformer.models.attention.transformer_xl import transformer_xl
from tests.models.attention.mixing import dense, heads, same


def test_means_of_one_token_are_the_token():
    q, k, v, mask = heads()
    same(compressive(q, k, v, mask, segment=2, older=2, rate=1),
         transformer_xl(q, k, v, mask, segment=2, memory=3), mask)  # fmt: skip


def test_older_segments_are_means():
    q, k, v, mask = heads(rows=1, length=6)
    found = compressive(q, k, v, mask, segment=2, older=1, rate=2)
    keys, values = (torch.cat((x[:, :, :2].mean(dim=2, keepdim=True), x[:, :, 2:]), dim=2) for x in (k, v))
    expected = dense(q[:, :, 4:], keys, values, torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(found[:, :, 4:], expected)
