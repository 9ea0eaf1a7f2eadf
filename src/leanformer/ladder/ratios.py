"""Speedups of rungs over others: medians of the ratios over the rounds in which both were timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.first_rungs import BATCHED, UNPADDED
from leanformer.ladder.entries import Entry
from leanformer.measure.speed import Speed
from leanformer.metrics.rounds import Ratio, ratio_of
from leanformer.report import Rung

# With fewer rounds, all of them may agree by chance.
_TELLING_ROUNDS = 5


def ratios(entries: Sequence[Entry], speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """For each entry, the fields of `report.Rung` that compare it with others, and their intervals."""
    places = {entry.name: number for number, entry in reversed(list(enumerate(entries)))}
    found = []
    for number, entry in enumerate(entries):
        over = {
            "speedup": 0, "speedup_over_unpadded": places.get(UNPADDED), "over_batched": places.get(BATCHED),
            "marginal": places.get(entry.after or "", 0),
        }  # fmt: skip
        compared = {
            name: None if other is None else _over(speeds[number], speeds[other]) for name, other in over.items()
        }
        values: dict[str, Any] = {name: None if ratio is None else ratio.median for name, ratio in compared.items()}
        intervals = {name: [ratio.low, ratio.high] for name, ratio in compared.items() if ratio is not None}
        found.append(values | {"intervals": intervals})
    return found


def _over(ours: Speed, theirs: Speed) -> Ratio:
    ratio = ratio_of(_by_round(ours), _by_round(theirs))
    assert ratio is not None, "all are timed in the first round"
    return ratio


def _by_round(speed: Speed) -> dict[int, float]:
    return {int(number): value for number, value in speed.rounds["throughput"].items()}


def slow_int8(rungs: Sequence[Rung]) -> list[str]:
    """A note for each int8 rung that is not faster than the rung it was made from, or not shown to be."""
    notes = []
    for rung in rungs:
        low, high = (rung.intervals or {}).get("marginal", (0.0, 2.0))
        shown = len((rung.rounds or {}).get("throughput", ())) >= _TELLING_ROUNDS
        span = f"{rung.marginal:.2f}x, {low:.2f} to {high:.2f}"
        if "int8" not in rung.runtime or (low > 1 and shown) or (rung.marginal > 1 and not shown):
            continue
        if high <= 1 and shown:
            notes.append(
                f"{rung.name!r}: int8 is not faster than {rung.after!r} on this CPU ({span}); it is smaller only"
            )
        else:
            notes.append(f"{rung.name!r}: whether int8 is faster than {rung.after!r} here is within the noise ({span})")
    return notes
