"""Linformer attends to projected keys and values."""

from __future__ import annotations

import torch

from leanformer.models.attention.linformer import linformer
from tests.models.attention.mixing import heads


def test_it_is_the_formula_of_each_query():
    q, k, v, mask = heads()
    to_keys, to_values = torch.randn(2, 3, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = linformer(q, k, v, mask, to_keys=to_keys, to_values=to_values)
    real = int(mask[1].sum())
    keys = sum(to_keys[:, t, None] * k[1, 0, t] for t in range(real))
    values = sum(to_values[:, t, None] * v[1, 0, t] for t in range(real))
    torch.testing.assert_close(found[1, 0, 2], torch.softmax(keys @ q[1, 0, 2] / 2, dim=0) @ values)
