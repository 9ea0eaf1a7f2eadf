"""Patterns count the pairs that are computed, chunks that are not full included."""

from __future__ import annotations

from leanformer.shapes.patterns import BigBird, Longformer, Smyrf, Strided, TransformerXL


def test_pairs_are_those_that_are_computed():
    assert Longformer(window=4, global_tokens=1).pairs(10) == 3 * 4 * (12 + 1) + 10
    assert Longformer(window=64, global_tokens=0).pairs(10) == 3 * 10 * 10
    assert Strided(stride=4).pairs(10) == 12 * (4 + 3)
    assert BigBird(block=4, random_blocks=1).pairs(10) == 12 * 5 * 4 + 4 * 10
    assert Smyrf(chunk=4, rounds=3).pairs(10) == 3 * 3 * 16
    assert TransformerXL(segment=4, memory=2).pairs(10) == 3 * 3 * 16
