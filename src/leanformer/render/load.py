"""What else ran on the machine during the timing of a ladder, in words, and the mark for figures of a busy machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leanformer.report import Report

BUSY = " (busy)"


def busy_mark(report: Report) -> str:
    """A suffix for each figure taken on a busy machine; empty if it was not busy, or this was not recorded."""
    return BUSY if (report.machine_load or {}).get("busy") else ""


def busy_words(load: Mapping[str, Any]) -> str:
    """A warning that the machine was busy, with advice."""
    return (
        f"the machine was busy while it was timed: others took {100 * load['taken_share']:.0f} % of the "
        f"{load['cores']} core{'s' if load['cores'] != 1 else ''}; the figures are too low, and not all by the same "
        "share; measure again when it is quiet"
    )


def load_words(report: Report) -> str:
    """One sentence; empty for a report of an earlier version."""
    load = report.machine_load
    if load is None:
        return ""
    averages = load["load_average"]
    said = "load average not measured" if averages is None else f"load average {averages[0]:.1f} to {averages[1]:.1f}"
    if load["busy"] is None:
        return f"Machine load while timing ({load['seconds']:.0f} s): not measured on this system; {said}."
    told = (
        f"Machine load while timing ({load['seconds']:.0f} s): {load['foreign_cpu_seconds']:.1f} CPU seconds of other "
        f"processes, {100 * load['steal_share']:.1f} % of the time taken by other machines (steal), {said}"
    )
    if not load["busy"]:
        return f"{told}."
    words = busy_words(load)
    return f"{told}. {words[0].upper()}{words[1:]}."
