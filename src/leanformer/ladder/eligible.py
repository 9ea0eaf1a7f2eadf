"""Which rungs may be chosen, judged by their answers on dev alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from leanformer.errors import RecipeError


class Standing(Protocol):
    """What is needed to decide whether a rung may be chosen; a `report.Rung` has it."""

    @property
    def name(self) -> str: ...
    @property
    def dev_quality(self) -> float | None: ...
    @property
    def lost(self) -> Sequence[str]: ...
    @property
    def chooseable(self) -> bool: ...
    @property
    def lossless(self) -> bool: ...


@dataclass(frozen=True)
class Eligible:
    """Numbers of rungs.

    Attributes:
        members: rungs that may be chosen.
        within: whether a compressed rung is among them because it is within the bound.
        near: compressed rungs within the bound, including those that lose a label.
        lossy: all compressed rungs.
    """

    members: tuple[int, ...]
    within: bool
    near: tuple[int, ...]
    lossy: tuple[int, ...]


def on_dev(rung: Standing) -> float:
    """A rung's quality on dev. Raises `RecipeError` if it was not measured."""
    if rung.dev_quality is None:
        raise RecipeError(f"the rung {rung.name!r} was not measured on dev, so nothing can be chosen")
    return rung.dev_quality


def drop(rungs: Sequence[Standing], number: int) -> float:
    """Points of dev quality that a rung loses against the first one."""
    return 100 * (on_dev(rungs[0]) - on_dev(rungs[number]))


def eligible(rungs: Sequence[Standing], *, max_drop: float, allow_lost: bool = False) -> Eligible:
    """The compressed rungs within the bound and the lossless ones; if none is within the bound, only the lossless ones.

    If there is no lossless rung either, the compressed one that loses least. Raises `RecipeError` if nothing can be
    kept, and if a rung was not measured on dev.
    """
    kept = [number for number, rung in enumerate(rungs) if rung.chooseable]
    if not kept:
        raise RecipeError("no rung can be kept: every export was left out")
    lossless = [number for number in kept if rungs[number].lossless]
    lossy = [number for number in kept if not rungs[number].lossless]
    # The epsilon only covers the rounding of 100 * (a - b).
    near = [number for number in lossy if drop(rungs, number) <= max_drop + 1e-9]
    within = [number for number in near if allow_lost or not rungs[number].lost]
    members = lossless + within or [max(lossy, key=lambda number: on_dev(rungs[number]))]
    return Eligible(tuple(members), bool(within), tuple(near), tuple(lossy))
