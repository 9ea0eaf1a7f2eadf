"""Block floating point: neighbours share one exponent, and each has a sign and a mantissa of its own.

Paper: Darvish Rouhani et al. 2020 ("Pushing the limits of narrow precision inferencing at cloud scale with Microsoft
floating point").
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.quantise.nearest import grouped
from leanformer.compress.stored import Stored

_EXPONENT = 8


def block_floating(weight: Tensor, *, mantissa: int = 3, block: int = 16) -> Stored:
    """A weight `[out, in]` in blocks of neighbours of a row, with a sign and `mantissa` bits each.

    With a mantissa of 24 bits, all that fp32 has, errors are those of fp32 at a block's largest value.
    """
    blocks = grouped(weight, block)
    power = torch.frexp(blocks.abs().amax(dim=2, keepdim=True)).exponent
    step = torch.ldexp(torch.ones_like(blocks), power - mantissa)
    most = 2**mantissa - 1
    found = (blocks / step).round().clamp(-most, most) * step
    return Stored(found.flatten(1), weight.numel() * (1 + mantissa) + blocks.shape[0] * blocks.shape[1] * _EXPONENT)
