"""The engines behind the figures of a ladder, in words."""

from __future__ import annotations

from leanformer.predictor import EngineUsed
from leanformer.report import Report, Rung


def engine_facts(report: Report) -> list[str]:
    """A sentence with the engine of each rung, and one for each that may be chosen and could run faster on the machine.

    Empty for a report of an earlier version.
    """
    found: dict[str, list[Rung]] = {}
    for rung in report.rungs:
        if (used := _used(rung)) is not None:
            found.setdefault(used.name, []).append(rung)
    if not found:
        return []
    told = "; ".join(f"{name} for {', '.join(rung.name for rung in rungs)}" for name, rungs in found.items())
    return [
        f"Engine: {told}.",
        *(
            f"{rung.name} could run faster on this machine: {used.reason} (remedy: {used.remedy})."
            for rung in report.rungs
            if rung.chooseable and (used := _used(rung)) is not None and used.remedy
        ),
    ]


def _used(rung: Rung) -> EngineUsed | None:
    told = rung.engine
    if told is None:
        return None
    return EngineUsed(told["engine"], told.get("level"), told["precision"], told["reason"], told["remedy"])
