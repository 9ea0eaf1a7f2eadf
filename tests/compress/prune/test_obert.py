"""Blocks of the Fisher matrix: what the loss does not depend on goes first."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.prune.obert import obert

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(4, 8, generator=GENERATOR)


def test_weights_without_gradients_go_however_large():
    gradients = torch.randn(40, 4, 8, generator=GENERATOR)
    gradients[:, :, :4] *= 1e-3
    stored = obert(WEIGHT.sign() * torch.tensor([10.0] * 4 + [1.0] * 4), gradients, density=0.5, block=8, damping=1e-4)
    assert (stored.weight[:, :4] == 0).all() and (stored.weight[:, 4:] != 0).all()
    assert stored.bits == 16 * 16 + 32


def test_what_is_kept_makes_up_for_what_is_gone():
    """Two weights with the same gradients: one goes, and the other takes over its part."""
    gradients = torch.randn(40, 1, 8, generator=GENERATOR)
    gradients[..., 1] = gradients[..., 0]
    stored = obert(torch.ones(1, 8), gradients, density=7 / 8, block=8, damping=1e-4).weight[0]
    assert sorted(stored[:2].tolist()) == pytest.approx([0, 2], abs=0.01)
    assert stored[2:].tolist() == pytest.approx([1] * 6, abs=0.01)


def test_a_density_of_one_is_dense():
    gradients = torch.randn(40, 4, 8, generator=GENERATOR)
    torch.testing.assert_close(obert(WEIGHT, gradients, density=1.0, block=4).weight, WEIGHT, rtol=0, atol=1e-5)
