"""N:M patterns: of M neighbours in a row, the N largest weights are kept; 2:4 is what sparse tensor cores run.

Paper: Mishra et al. 2021 (arXiv 2104.08378). Nothing here runs the pattern faster than a dense map.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from leanformer.compress.stored import VALUE, Stored


def pattern(scores: Tensor, keep: int, of: int) -> Tensor:
    """A mask of the shape of `scores` `[out, in]` with exactly `keep` places of every `of` neighbours in a row.

    Raises `ValueError` if rows are no multiple of `of`.
    """
    if scores.shape[1] % of:
        raise ValueError(f"a row of {scores.shape[1]} weights is no multiple of {of}")
    groups = scores.unflatten(1, (-1, of))
    order = groups.argsort(dim=2, descending=True, stable=True)[..., :keep]
    return torch.zeros_like(groups, dtype=torch.bool).scatter(2, order, True).flatten(1)


def two_four(weight: Tensor, *, keep: int = 2, of: int = 4) -> Stored:
    """The `keep` largest of every `of` weights; a file has their values, and the index of each in its group."""
    mask = pattern(weight.abs(), keep, of)
    kept = int(mask.sum())
    index = 0 if keep == of else math.ceil(math.log2(of))
    return Stored(weight * mask, kept * (VALUE + index))
