"""Nothing changes but how hard each side is to quantise."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.quantise.smooth_quant import smooth_quant

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(5, 8, generator=GENERATOR)
X = torch.randn(20, 8, generator=GENERATOR)
X[:, 3] *= 60
PEAKS = X.abs().amax(dim=0)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_product_is_the_same(alpha: float):
    factor = smooth_quant(PEAKS, WEIGHT, alpha=alpha)
    torch.testing.assert_close((X / factor) @ (WEIGHT * factor).T, X @ WEIGHT.T, rtol=1e-4, atol=1e-4)


def test_at_a_half_inputs_and_weights_have_the_same_peaks():
    factor = smooth_quant(PEAKS, WEIGHT, alpha=0.5)
    torch.testing.assert_close(PEAKS / factor, (WEIGHT * factor).abs().amax(dim=0))
    torch.testing.assert_close(PEAKS / smooth_quant(PEAKS, WEIGHT, alpha=1.0), torch.ones(8))
