"""Floating point in 8 bits, simulated: E4M3 and E5M2, with a scale for each row so that its largest value is the end.

Paper: Micikevicius et al. 2022 (arXiv 2209.05433).
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.quantise.nearest import half, size
from leanformer.compress.stored import Stored

# Exponent bits -> bias and largest value; E4M3 has no infinity and spends that pattern on values.
_FORMATS = {4: (7, 448.0), 5: (15, 57344.0), 8: (127, 3.4e38)}


def fp8(x: Tensor, *, exponent: int = 4, mantissa: int = 3) -> Tensor:
    """Each value rounded to the nearest of a format with so many bits, ties to even; larger ones become the largest.

    Formats are E4M3, E5M2 and, with 8 and 23 bits, fp32 itself.
    """
    bias, most = _FORMATS[exponent]
    clipped = x.clamp(-most, most)
    power = torch.frexp(clipped).exponent - 1
    # Below the smallest normal number the steps stay the same.
    step = torch.ldexp(torch.ones_like(x), power.clamp(min=1 - bias) - mantissa)
    return torch.where(step > 0, (clipped / step).round() * step, clipped)


def fp8_weight(weight: Tensor, *, exponent: int = 4, mantissa: int = 3) -> Stored:
    """A weight `[out, in]` in the format, scaled by row; fp32 needs no scale."""
    peaks = weight.abs().amax(dim=1, keepdim=True)
    scale = torch.ones_like(peaks) if exponent == 8 else half(peaks / _FORMATS[exponent][1])
    found = fp8(weight / scale, exponent=exponent, mantissa=mantissa) * scale
    return Stored(found, size(weight, 1 + exponent + mantissa))
