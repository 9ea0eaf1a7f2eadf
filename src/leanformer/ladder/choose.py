"""Choosing a rung: the best by the goal among those whose dev estimate lies within the bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leanformer.errors import RecipeError
from leanformer.report import Rung

GOALS = ("throughput", "latency", "size")


@dataclass(frozen=True)
class Choice:
    """The rung that was taken; `within` tells whether it is a compressed model within the bound."""

    rung: Rung
    within: bool
    reason: str


def choose(rungs: Sequence[Rung], *, goal: str, max_drop: float, allow_lost: bool = False) -> Choice:
    """Choose on dev alone.

    Args:
        goal: "throughput" (most texts per second), "latency" (lowest median, one at a time) or "size" (fewest bytes).
        max_drop: most points (hundredths) of dev quality that may be lost against the first rung.
        allow_lost: also take a rung that does not find labels which the first one finds (`Rung.lost`).

    When no compressed rung lies within the bound, the best lossless one is kept. Raises `RecipeError` for an
    unknown goal or when there is nothing at all to keep.
    """
    if goal not in GOALS:
        raise RecipeError(f"unknown goal {goal!r}; one of {', '.join(GOALS)}")
    kept = [rung for rung in rungs if rung.chooseable]
    if not kept:
        raise RecipeError("no rung can be kept: every export was left out")

    def on_dev(rung: Rung) -> float:
        if rung.dev_quality is None:
            raise RecipeError(f"the rung {rung.name!r} was not measured on dev, so nothing can be chosen")
        return rung.dev_quality

    def drop(rung: Rung) -> float:
        return 100 * (on_dev(rungs[0]) - on_dev(rung))

    def merit(rung: Rung) -> float:
        return {"throughput": rung.throughput_per_second, "latency": -rung.latency_ms_p50, "size": -rung.bytes}[goal]

    # The epsilon is for the rounding of 100 * (a - b), not for mercy.
    near = [rung for rung in kept if not rung.lossless and drop(rung) <= max_drop + 1e-9]
    within = [rung for rung in near if allow_lost or not rung.lost]
    if within:
        best = max([rung for rung in kept if rung.lossless] + within, key=merit)
        return Choice(
            best, True,
            f"best {goal} among the rungs that lose at most {max_drop:g} points on dev; {best.name!r} loses "
            f"{drop(best):.2f}; the bound was checked on dev only",
        )  # fmt: skip
    lossless = [rung for rung in kept if rung.lossless]
    lossy = [rung for rung in kept if not rung.lossless]
    if not lossless:
        best = max(lossy, key=on_dev)
    else:
        best = max(lossless, key=merit)
    if lossy:
        nearest = max(lossy, key=on_dev)
        reason = (
            f"no compressed rung stays within {max_drop:g} points of the teacher on dev; the nearest, "
            f"{nearest.name!r}, loses {drop(nearest):.2f}. Kept instead: {best.name!r}"
        )
        if near:
            reason = (
                f"of the compressed rungs that stay within {max_drop:g} points each loses a label that the teacher "
                f"finds: {near[0].name!r} loses {', '.join(near[0].lost)}. Kept instead: {best.name!r} "
                "(--allow-lost-classes takes it all the same)"
            )
    else:
        reason = f"no compressed rung could be made (see the notes). Kept instead: {best.name!r}"
    return Choice(best, False, reason)
