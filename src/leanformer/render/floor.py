"""The floor in words: whether the chosen rung has been shown to beat a linear model on n-grams."""

from __future__ import annotations

from leanformer.first_rungs import FLOOR
from leanformer.report import Report, Rung


def floor_facts(report: Report) -> list[str]:
    """A description of the floor, and a sentence on the chosen (or last) rung; empty for a ladder without a floor."""
    floor = next((rung for rung in report.rungs if rung.name == FLOOR), None)
    if floor is None:
        return []
    name = (report.choice or {}).get("rung")
    rung = next((rung for rung in report.rungs if rung.name == name), report.rungs[-1])
    return [f"{_what(report, floor)}. {_verdict(floor, rung, rung.name == name)}."]


def _what(report: Report, floor: Rung) -> str:
    """The kind of model, what was chosen on dev, and the cost of training it."""
    options = floor.lineage[-1]["options"] if floor.lineage else {}
    chosen = f" of {options['ngrams']}, C = {options['C']:g}, chosen on dev" if options else ""
    energy = next((effort["energy"] for effort in report.training if effort["step"] == FLOOR), None)
    took = f"; trained in {energy['cpu_seconds']:.1f} CPU seconds" if energy else ""
    return f"{FLOOR[0].upper()}{FLOOR[1:]}: a support vector machine or ridge regression on TF-IDF{chosen}{took}"


def _verdict(floor: Rung, rung: Rung, chosen: bool) -> str:
    who = f"{'the chosen' if chosen else 'the last rung'} {rung.name!r}"
    scored = (
        f"It scores {100 * floor.quality:.1f} ({floor.metric} on {floor.n} test texts), {who} {100 * rung.quality:.1f}"
    )
    over = rung.over_floor
    if over is None:
        return scored
    span = f"{100 * over['difference']:+.1f} points, {100 * over['low']:+.1f} to {100 * over['high']:+.1f}, paired"
    if over["low"] > 0:
        return f"{scored}: {rung.name!r} is better ({span})"
    worse = ", and is worse" if over["high"] < 0 else ""
    return f"{scored}: {rung.name!r} is not shown to be better{worse} ({span})"
