"""A kind that says how many pairs it scores has its operations counted."""

from __future__ import annotations

from leanformer.shapes.reference import Reference, chunks


def test_operations_are_two_products_for_each_pair():
    assert Reference().flops(10, 10, 8) == 4 * 100 * 8 and Reference().elements(10, 8) == 100
    assert [chunks(tokens, 4) for tokens in (1, 4, 5)] == [1, 1, 2]
