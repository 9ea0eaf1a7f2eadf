"""Choosing a rung: the best by the goal among those whose dev estimate is within the bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.errors import RecipeError
from leanformer.ladder.contest import fastest, rivals_of
from leanformer.ladder.eligible import drop, eligible, on_dev
from leanformer.metrics.rounds import median_interval
from leanformer.report import Rung

GOALS = ("throughput", "latency", "size")


@dataclass(frozen=True)
class Rival:
    """A rung that may be as good as the chosen one: the speedup of the chosen one over it, with a 95 % interval."""

    rung: str
    ratio: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True)
class Choice:
    """The rung that was chosen.

    Attributes:
        within: whether it is a compressed model within the bound.
        sure: whether no other eligible rung may be as good; None if figures by round are not available.
        rivals: the eligible rungs that may be as good, within the noise of the timing.
    """

    rung: Rung
    within: bool
    reason: str
    sure: bool | None = None
    rivals: tuple[Rival, ...] = ()


def choose(rungs: Sequence[Rung], *, goal: str, max_drop: float, allow_lost: bool = False) -> Choice:
    """Choose on dev alone.

    Args:
        goal: "throughput" (most texts per second), "latency" (lowest median, one at a time) or "size" (fewest bytes).
            Two rungs are compared by the rounds in which both were timed, if figures by round are available.
        max_drop: most points (hundredths) of dev quality that may be lost against the first rung.
        allow_lost: also accept a rung that misses labels which the first rung finds (`Rung.lost`).

    If no compressed rung is within the bound, the best lossless one is kept. Raises `RecipeError` for an unknown goal,
    or if there is nothing to keep.
    """
    if goal not in GOALS:
        raise RecipeError(f"unknown goal {goal!r}; one of {', '.join(GOALS)}")
    may = eligible(rungs, max_drop=max_drop, allow_lost=allow_lost)

    def merit(number: int) -> float:
        rung = rungs[number]
        return {"throughput": rung.throughput_per_second, "latency": -rung.latency_ms_p50, "size": -rung.bytes}[goal]

    figures = _figures(rungs, may.members, goal)
    # Ties go to the first.
    number = max(sorted(may.members), key=merit) if figures is None else fastest(figures)
    best, reason = rungs[number], ""
    if may.within:
        reason = (
            f"best {goal} among the rungs that lose at most {max_drop:g} points on dev; {best.name!r} loses "
            f"{drop(rungs, number):.2f}; the bound was checked on dev only"
        )
    elif may.near:
        lost = rungs[may.near[0]]
        reason = (
            f"of the compressed rungs that stay within {max_drop:g} points each loses a label that the teacher "
            f"finds: {lost.name!r} loses {', '.join(lost.lost)}. Kept instead: {best.name!r} "
            "(--allow-lost-classes takes it all the same)"
        )
    elif may.lossy:
        nearest = max(may.lossy, key=lambda other: on_dev(rungs[other]))
        reason = (
            f"no compressed rung stays within {max_drop:g} points of the teacher on dev; the nearest, "
            f"{rungs[nearest].name!r}, loses {drop(rungs, nearest):.2f}. Kept instead: {best.name!r}"
        )
    else:
        reason = f"no compressed rung could be made (see the notes). Kept instead: {best.name!r}"
    sure, rivals = (True, ()) if goal == "size" or len(may.members) == 1 else _rivals(rungs, number, figures)
    return Choice(best, may.within, reason + _not_sure(best.name, rivals), sure, rivals)


def by_round(rung: Rung, goal: str) -> dict[int, float] | None:
    """Figures of a rung by round number, higher is better; None if they are not available."""
    values = (rung.rounds or {}).get(goal)
    if not values:
        return None
    return {int(number): value if goal == "throughput" else 1 / value for number, value in values.items()}


def _figures(rungs: Sequence[Rung], members: Sequence[int], goal: str) -> dict[int, dict[int, float]] | None:
    """The figures of the members by number and round; None unless all have them (sizes never do)."""
    known = {number: by_round(rungs[number], goal) for number in members}
    figures = {number: values for number, values in known.items() if values is not None}
    return figures if len(figures) == len(known) else None


def _rivals(
    rungs: Sequence[Rung], best: int, figures: Mapping[int, Mapping[int, float]] | None
) -> tuple[bool | None, tuple[Rival, ...]]:
    """Whether the best is surely the best, and which rungs may be as good."""
    if figures is None:
        return None, ()
    rivals = tuple(
        Rival(rungs[number].name, float(np.median(ratios)), *median_interval(ratios), len(ratios))
        for number, ratios in rivals_of(best, figures).items()
        if ratios
    )
    return not rivals, rivals


def _not_sure(name: str, rivals: Sequence[Rival]) -> str:
    if not rivals:
        return ""
    named = ", ".join(
        f"{rival.rung!r} ({rival.ratio:.2f} times as fast as it, {rival.low:.2f} to {rival.high:.2f} over "
        f"{rival.rounds} rounds)"
        for rival in rivals
    )
    return f"; not sure: {name!r} is within the noise of {named}"
