"""The formats beside those of PyTorch."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.quantise.fp8 import fp8, fp8_weight

X = torch.cat([torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 10.0**power for power in range(-6, 5)])


@pytest.mark.parametrize(
    ("exponent", "mantissa", "dtype", "most"),
    [(4, 3, torch.float8_e4m3fn, 448.0), (5, 2, torch.float8_e5m2, 57344.0)],
)
def test_values_are_pytorchs(exponent: int, mantissa: int, dtype: torch.dtype, most: float):
    expected = X.clamp(-most, most).to(dtype).float()
    assert torch.equal(fp8(X, exponent=exponent, mantissa=mantissa), expected)


def test_8_and_23_bits_are_fp32():
    assert torch.equal(fp8(X, exponent=8, mantissa=23), X)


def test_a_row_ends_at_the_largest_value():
    weight = X[12000:12120].view(4, 30)
    stored = fp8_weight(weight)
    # As nearly as a scale in fp16 can say.
    torch.testing.assert_close(stored.weight.abs().amax(dim=1), weight.abs().amax(dim=1), rtol=1e-3, atol=0)
    assert not torch.equal(stored.weight, weight)
    scales = stored.weight.abs().amax(dim=1) / 448
    torch.testing.assert_close(scales, scales.half().float(), rtol=1e-6, atol=0)
    assert ((stored.weight - weight).abs() <= weight.abs() / 15 + 1e-3).all() and stored.bits == 120 * 8 + 4 * 16
    assert torch.equal(fp8_weight(weight, exponent=8, mantissa=23).weight, weight)
