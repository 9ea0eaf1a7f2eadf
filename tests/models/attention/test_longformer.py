"""Longformer is dense attention with a band and global tokens, for every width of the band."""

from __future__ import annotations

import pytest

from leanformer.models.attention.longformer import longformer
from tests.models.attention.mixing import dense, heads, places, same


@pytest.mark.parametrize(("window", "first"), [(1, 0), (2, 1), (3, 2), (10, 0), (50, 3)])
def test_it_is_a_band_and_global_tokens(window: int, first: int):
    q, k, v, mask = heads()
    i, j = places(11)
    allowed = ((i - j).abs() <= window) | (i < first) | (j < first)
    same(longformer(q, k, v, mask, window=window, global_tokens=first), dense(q, k, v, mask, allowed), mask)
