"""Strided attention is dense attention within rows and columns."""

from __future__ import annotations

import pytest

from leanformer.models.attention.strided import strided
from tests.models.attention.mixing import dense, heads, places, same


@pytest.mark.parametrize("stride", [1, 3, 4, 30])
def test_it_is_rows_and_columns(stride: int):
    q, k, v, mask = heads()
    i, j = places(11)
    allowed = (i // stride == j // stride) | (i % stride == j % stride)
    same(strided(q, k, v, mask, stride=stride), dense(q, k, v, mask, allowed), mask)
