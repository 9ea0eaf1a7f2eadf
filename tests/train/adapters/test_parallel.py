"""Parallel adapters read the input of the block."""

from __future__ import annotations

import torch

from leanformer.train.adapters.parallel import Parallel
from tests.making.adapted import attached, parameters, redrawn
from tests.making.tiny import tiny_classifier


def test_a_block_by_its_formula() -> None:
    adapter = Parallel(8, scale=3.0)
    model = attached(adapter)
    redrawn(adapter, model)
    x, block = torch.randn(2, 5, 32), model.encoder.layers[1].ffn
    expected = tiny_classifier().encoder.layers[1].ffn(x) + 3 * block.adapter(x)
    torch.testing.assert_close(block(x), expected)


def test_parameters_are_those_of_the_formula() -> None:
    assert parameters(Parallel(8)) == 2 * (2 * 32 * 4 + 4 + 32)
