"""A weight as a file gives it back, with the exact size of what the file holds."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

VALUE = 16  # bits of a value that is not quantised, and of a scale


@dataclass(frozen=True)
class Stored:
    """A weight `[out, in]` as the file gives it back, and the number of bits that the file has for it."""

    weight: Tensor
    bits: int


def dense(weight: Tensor) -> Stored:
    """All values."""
    return Stored(weight, VALUE * weight.numel())


def sparse(weight: Tensor, mask: Tensor) -> Stored:
    """The values where `mask` is true, and a bit for each place, unless all are kept."""
    kept = int(mask.sum())
    places = 0 if kept == mask.numel() else mask.numel()
    return Stored(weight * mask, VALUE * kept + places)
