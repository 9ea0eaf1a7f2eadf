"""Adaptively sparse attention: each head has its alpha, and learns it."""

from __future__ import annotations

import torch

from leanformer.models.attention.adaptive_entmax import adaptive_entmax
from leanformer.models.attention.entmax import entmax
from tests.models.attention.mixing import heads


def test_each_head_has_its_alpha():
    q, k, v, mask = heads()
    sparsity = torch.tensor([-1.0, 2.0], dtype=torch.float64, requires_grad=True)
    found = adaptive_entmax(q, k, v, mask, sparsity=sparsity)
    for head, alpha in enumerate((1 + sparsity.sigmoid()).tolist()):
        expected = entmax(*(x[:, head : head + 1] for x in (q, k, v)), mask, alpha=alpha)
        torch.testing.assert_close(found[:, head : head + 1], expected)
    found[0].pow(2).sum().backward()
    assert sparsity.grad is not None and (sparsity.grad != 0).all()
