"""Sizes of files, to the bit."""

from __future__ import annotations

import torch

from leanformer.compress.stored import dense, sparse


def test_values_and_places_are_counted():
    weight = torch.arange(1.0, 9).view(2, 4)
    assert dense(weight).bits == 128
    half = sparse(weight, weight > 4)
    assert half.bits == 4 * 16 + 8 and half.weight.count_nonzero() == 4
    assert sparse(weight, weight > 0).bits == 128, "where all are kept no places are stored"
