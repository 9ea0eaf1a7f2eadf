"""Mantissas of a block have the exponent of its largest value."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.block_floating import block_floating

WEIGHT = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))


def test_a_block_by_hand():
    # The largest is below 8 = 2^3: with 3 bits of mantissa, steps are 1.
    stored = block_floating(torch.tensor([[7.4, 0.4, -2.6, 1.2]]), mantissa=3, block=4)
    assert stored.weight.tolist() == [[7, 0, -3, 1]] and stored.bits == 4 * 4 + 8


def test_the_error_is_at_most_a_step():
    stored = block_floating(WEIGHT, mantissa=5, block=8)
    blocks = WEIGHT.view(4, 4, 8).abs().amax(dim=2, keepdim=True)
    assert ((stored.weight - WEIGHT).view(4, 4, 8).abs() <= blocks * 2 / 32).all()
    assert not torch.equal(stored.weight, WEIGHT)
    torch.testing.assert_close(block_floating(WEIGHT, mantissa=24).weight, WEIGHT, rtol=0, atol=1e-6)
