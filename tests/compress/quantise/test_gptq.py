"""The order of GPTQ keeps outputs better than rounding to the nearest, on the same grid."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.gptq import gptq
from leanformer.compress.quantise.nearest import nearest

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(300, 16, generator=GENERATOR) @ torch.randn(16, 16, generator=GENERATOR)
WEIGHT = torch.randn(8, 16, generator=GENERATOR)
MOMENT = INPUTS.T @ INPUTS / len(INPUTS)


def error(weight: torch.Tensor) -> float:
    return float((INPUTS @ (weight - WEIGHT).T).square().mean())


def test_outputs_are_kept_better_at_the_same_size():
    ours = gptq(WEIGHT, MOMENT, bits=3, group=8)
    plain = nearest(WEIGHT, bits=3, group=8, symmetric=False)
    assert error(ours.weight) < 0.8 * error(plain.weight) and ours.bits == plain.bits


def test_independent_inputs_leave_nothing_to_make_up_for():
    ours = gptq(WEIGHT, torch.eye(16), bits=3, group=8)
    torch.testing.assert_close(ours.weight, nearest(WEIGHT, bits=3, group=8, symmetric=False).weight)


def test_a_fine_grid_is_dense():
    torch.testing.assert_close(gptq(WEIGHT, MOMENT, bits=32).weight, WEIGHT, rtol=0, atol=1e-6)
