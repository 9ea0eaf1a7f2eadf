"""Blocks go as wholes, those of least norm first."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.prune.blocks import blocks, spread, stored_blocks, sums


def test_the_weakest_blocks_go():
    strengths = torch.tensor([[3.0, 1, 4], [2, 6, 5]])
    weight = spread(strengths, 2)
    stored = blocks(weight, density=0.5, block=2)
    assert sums(stored.weight, 2).tolist() == [[0, 0, 16], [0, 24, 20]]
    assert stored.bits == 3 * 4 * 16 + 6
    assert blocks(weight, density=1.0, block=2).bits == 24 * 16


def test_a_block_with_a_single_weight_is_stored_whole():
    weight = torch.zeros(4, 4)
    weight[3, 0] = -1
    assert stored_blocks(weight, 2).bits == 4 * 16 + 4


def test_maps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no multiple of blocks of 4"):
        blocks(torch.ones(4, 6), block=4)
