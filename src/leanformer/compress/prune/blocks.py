"""Block pruning: square blocks of a map are kept or left out as wholes.

Paper: Lagunas et al. 2021 (arXiv 2109.04838), who learn the blocks' scores in training
(`train.hooks.movement` with `block`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.stored import VALUE, Stored
from leanformer.models.maps import largest


def spread(blocks: Tensor, block: int) -> Tensor:
    """Values of blocks `[out / block, in / block]` at every weight of theirs, `[out, in]`."""
    return blocks.repeat_interleave(block, dim=0).repeat_interleave(block, dim=1)


def sums(values: Tensor, block: int) -> Tensor:
    """The sum of each block of `[out, in]`, `[out / block, in / block]`.

    Raises `ValueError` if the map is no multiple of blocks.
    """
    if any(size % block for size in values.shape):
        raise ValueError(f"a map of {tuple(values.shape)} is no multiple of blocks of {block}")
    return values.unflatten(1, (-1, block)).sum(dim=2).unflatten(0, (-1, block)).sum(dim=1)


def blocks(weight: Tensor, *, density: float = 0.5, block: int = 32) -> Stored:
    """The `density` share of blocks of largest norm; a file has their values, and a bit for each block."""
    kept = largest(sums(weight.square(), block), density)
    return stored_blocks(weight * spread(kept, block), block)


def stored_blocks(weight: Tensor, block: int) -> Stored:
    """A weight whose blocks of zeros are not stored."""
    kept = sums(weight.abs(), block) > 0
    flags = 0 if bool(torch.all(kept)) else kept.numel()
    return Stored(weight, VALUE * block * block * int(kept.sum()) + flags)
