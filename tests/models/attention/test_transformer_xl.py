"""Transformer-XL sees its segment and those before it, through which no gradient flows."""

from __future__ import annotations

import pytest

from leanformer.models.attention.transformer_xl import transformer_xl
from tests.models.attention.mixing import dense, heads, places, same


@pytest.mark.parametrize("memory", [0, 1, 2])
def test_it_is_dense_attention_to_the_past_segments(memory: int):
    q, k, v, mask = heads()
    i, j = places(11)
    ago = i // 3 - j // 3
    same(transformer_xl(q, k, v, mask, segment=3, memory=memory),
         dense(q, k, v, mask, (ago >= 0) & (ago <= memory)), mask)  # fmt: skip


def test_no_gradient_flows_into_the_past():
    q, k, v, mask = heads()
    v.requires_grad_()
    transformer_xl(q, k, v, mask, segment=3, memory=1)[:, :, 3:6].sum().backward()
    assert v.grad is not None and v.grad[:, :, :3].eq(0).all() and v.grad[0, :, 3:6].ne(0).all()
