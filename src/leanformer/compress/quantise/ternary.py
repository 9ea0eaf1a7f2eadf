"""Ternary weights: minus one, zero and one, times a scale for each row.

Paper: ternary weight networks (Li et al. 2016, arXiv 1605.04711), as in TernaryBERT (Zhang et al. 2020, arXiv
2009.12812): weights below 0.7 times the mean absolute value become zero; the scale is the mean of the others.
"""

from __future__ import annotations

from torch import Tensor

from leanformer.compress.quantise.nearest import half, size
from leanformer.compress.stored import Stored

BITS = 1.6  # five values in a byte, as 3^5 = 243


def ternary(weight: Tensor, *, cut: float = 0.7) -> Stored:
    """A weight `[out, in]` with three values in each row; one that has three such values already is unchanged."""
    magnitude = weight.abs()
    kept = magnitude > cut * magnitude.mean(dim=1, keepdim=True)
    scale = (magnitude * kept).sum(dim=1, keepdim=True) / kept.sum(dim=1, keepdim=True).clamp_min(1)
    return Stored(weight.sign() * kept * half(scale), size(weight, BITS))
