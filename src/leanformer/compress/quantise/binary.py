"""Binary weights: the sign, times the mean absolute value of each row.

Paper: binary weight networks (Rastegari et al. 2016, arXiv 1603.05279), as in BinaryBERT (Bai et al. 2021, arXiv
2012.15701); that scale has the least squared error of all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.quantise.nearest import half, size
from leanformer.compress.stored import Stored


def binary(weight: Tensor) -> Stored:
    """A weight `[out, in]` with two values in each row; one that has two opposite values already is unchanged."""
    scale = half(weight.abs().mean(dim=1, keepdim=True))
    return Stored(torch.where(weight >= 0, scale, -scale), size(weight, 1))
