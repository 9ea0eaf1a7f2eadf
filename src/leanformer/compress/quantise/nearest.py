"""Round to nearest on a grid, by groups of neighbours in a row: the control of all finer ways to quantise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from leanformer.compress.stored import VALUE, Stored, dense

EXACT = 24  # bits from which a grid is as fine as fp32, so that nothing is rounded


@dataclass(frozen=True)
class Grid:
    """The steps of a weight's groups: `scale` and `zero` are `[out, groups, 1]`, integers are from `low` to `high`."""

    scale: Tensor
    zero: Tensor
    low: int
    high: int

    def back(self, weight: Tensor) -> Tensor:
        """The nearest values on the grid, for weights `[out, groups, size]`."""
        return ((weight / self.scale + self.zero).round().clamp(self.low, self.high) - self.zero) * self.scale


def grid_of(groups: Tensor, levels: int, *, symmetric: bool = True) -> Grid:
    """A grid with so many levels over the range of each group; scales are fp16, as a file has them.

    A symmetric grid has an odd number of levels, so that zero is one of them; two levels are the signs. An asymmetric
    one ends at the smallest and the largest value, zero included.
    """
    if levels == 2:
        scale = half(groups.abs().amax(dim=2, keepdim=True))
        return Grid(2 * scale, torch.full_like(scale, 0.5), 0, 1)
    if symmetric:
        high = (levels - 1) // 2
        scale = half(groups.abs().amax(dim=2, keepdim=True) / high)
        return Grid(scale, torch.zeros_like(scale), -high, high)
    low, top = (getattr(groups, end)(dim=2, keepdim=True) for end in ("amin", "amax"))
    low, top = low.clamp(max=0), top.clamp(min=0)
    scale = half((top - low) / (levels - 1))
    return Grid(scale, (-low / scale).round(), 0, levels - 1)


def nearest(weight: Tensor, *, bits: float = 4, group: int = 0, symmetric: bool = True) -> Stored:
    """A weight `[out, in]` rounded to the nearest value of its group.

    Args:
        bits: of a weight; with 1.6 there are three values, five of them in a byte. From 24 on nothing is rounded.
        group: neighbours that share a scale, a divisor of a row's length; 0: the whole row.
        symmetric: otherwise a group has a zero point of as many bits as a weight.
    """
    if bits >= EXACT:
        return dense(weight)
    groups = grouped(weight, group)
    grid = grid_of(groups, levels_of(bits), symmetric=symmetric)
    return Stored(grid.back(groups).flatten(1), size(weight, bits, group, symmetric=symmetric))


def levels_of(bits: float) -> int:
    """How many values there are, on a symmetric grid an odd number."""
    return {1: 2, 1.6: 3}.get(bits) or 2 ** int(bits)


def size(weight: Tensor, bits: float, group: int = 0, *, symmetric: bool = True) -> int:
    """Bits of a quantised weight: those of its values, and a scale, or a scale and a zero point, for each group."""
    groups = weight.numel() // (group or weight.shape[1])
    return math.ceil(bits * weight.numel()) + groups * (VALUE if symmetric else VALUE + math.ceil(bits))


def grouped(weight: Tensor, group: int) -> Tensor:
    """`[out, in]` as `[out, groups, group]`. Raises `ValueError` if a row is no multiple of the group."""
    size = group or weight.shape[1]
    if weight.shape[1] % size:
        raise ValueError(f"a row of {weight.shape[1]} weights is no multiple of groups of {size}")
    return weight.unflatten(1, (-1, size))


def rounded_inputs(x: Tensor, *, bits: int = 8, peak: Tensor | None = None) -> Tensor:
    """Activations `[..., in]` on a symmetric grid: one scale for each token, or one up to `peak` for all."""
    if bits >= EXACT:
        return x
    high = 2 ** (bits - 1) - 1
    scale = ((x.abs().amax(dim=-1, keepdim=True) if peak is None else peak) / high).clamp_min(1e-12)
    return (x / scale).round().clamp(-high, high) * scale


def half(scale: Tensor) -> Tensor:
    """A scale as a file has it: in fp16, and above zero."""
    return scale.clamp_min(1e-7).half().to(scale.dtype)
