"""The common table of all benches: a row's columns, and the verdict, which is computed and never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.atlas.entries import Technique
from leanformer.metrics.bootstrap import interval

BETTER, WORSE, UNDECIDED, NOT_HERE = "better", "worse", "no difference shown", "not on this CPU"


def verdict(low: float | None, high: float | None) -> str:
    """What the interval of the difference to the control says; without one the technique does not run here."""
    if low is None or high is None:
        return NOT_HERE
    return BETTER if low > 0 else WORSE if high < 0 else UNDECIDED


def compared(ours: Mapping[int, str], control: Mapping[int, str]) -> dict[str, Any]:
    """Quality in points and its difference to the control, with a paired interval over texts, a text's seeds together.

    Args:
        ours, control: seed -> "1" or "0" for each text. Only seeds that both have are compared.
    """
    seeds = sorted(set(ours) & set(control))
    hits = {seed: np.array([[int(hit) for hit in each[seed]] for each in (ours, control)]) for seed in seeds}
    scores = np.array([100 * both.mean(axis=1) for both in hits.values()])
    gains = np.mean([both[0] - both[1] for both in hits.values()], axis=0)
    low, high = interval(lambda rows: 100 * float(gains[rows].mean()), len(gains))
    mean, deviation = scores.mean(axis=0), scores.std(axis=0, ddof=1) if len(seeds) > 1 else None
    return {
        "seeds": seeds, "n": len(gains), "quality": _points(mean[0]),
        "deviation": None if deviation is None else _points(deviation[0]), "control_quality": _points(mean[1]),
        "difference": _points(100 * gains.mean()), "low": _points(low), "high": _points(high),
    }  # fmt: skip


def _points(value: float) -> float:
    return round(float(value), 2)


def about(technique: Technique, control: str) -> dict[str, Any]:
    """The columns that a technique has before it is measured."""
    return {
        "technique": technique.name, "seed_rows": list(technique.rows), "bench": technique.bench, "control": control,
        "lines": technique.lines, "exact_limit": technique.limit or None, "published": technique.published or None,
    }  # fmt: skip


def slope(times: Sequence[Mapping[str, Any]], low: int = 1024, high: int = 8192) -> float | None:
    """The slope of log time in log length, by least squares, over lengths from `low` to `high`; None below three."""
    points = [(line["tokens"], line["ms"]) for line in times if line["ms"] and low <= line["tokens"] <= high]
    if len(points) < 3:
        return None
    x, y = np.log(np.array(points)).T
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def overtakes(times: Sequence[Mapping[str, Any]], control: Sequence[Mapping[str, Any]]) -> int | None:
    """The shortest measured length from which on the technique is faster than the control at every one; None: never."""
    theirs = {line["tokens"]: line["ms"] for line in control if line["ms"]}
    both = [(line["tokens"], line["ms"], theirs[line["tokens"]]) for line in times
            if line["ms"] and line["tokens"] in theirs]  # fmt: skip
    # Where it stops before the control does, it is not the faster one at the longest length.
    if not both or max(theirs) > both[-1][0]:
        return None
    found = None
    for tokens, ours, exact in reversed(both):
        if ours >= exact:
            break
        found = tokens
    return found
