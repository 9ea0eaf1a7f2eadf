"""Two values a row, with the scale of least squared error."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.binary import binary

WEIGHT = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))


def test_no_other_scale_is_nearer():
    stored = binary(WEIGHT)
    assert torch.equal(stored.weight.sign(), WEIGHT.sign()) and all(len(row.unique()) == 2 for row in stored.weight)
    best = (stored.weight - WEIGHT).norm()
    assert all((stored.weight * share - WEIGHT).norm() > best for share in (0.97, 1.03))
    assert torch.equal(stored.weight, stored.weight.half().float()), "the scale is in fp16"
    assert stored.bits == 200 + 5 * 16


def test_two_values_stay_as_they_are():
    once = binary(WEIGHT).weight
    torch.testing.assert_close(binary(once).weight, once)
