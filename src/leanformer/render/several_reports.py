"""Several reports together: the common basis of the HTML page, the Markdown and the JSON of `leanformer report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leanformer.errors import LeanformerError
from leanformer.measure.cost import Price, usd_per_100m
from leanformer.metrics.pareto import pareto_front
from leanformer.render.charts import Point, drawable, shown
from leanformer.render.energy import break_even
from leanformer.render.leaks import clean_mark
from leanformer.report import Report, Rung


@dataclass(frozen=True)
class Gathered:
    """Reports and what is common to all of them.

    Attributes:
        reports: name (the folder's) -> report, in the order given.
        prices: hourly prices to show costs for.
        spent_usd: cost of the compression itself; None takes the cost of its steps.
        texts: the test texts, for showing the changed ones; None shows only row numbers.
        command: the command that made this page.
    """

    reports: Mapping[str, Report]
    prices: Sequence[Price] = ()
    spent_usd: float | None = None
    texts: Sequence[str] | None = None
    command: str | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def points(self) -> list[Point]:
        """Every rung with its number: "3", or "2.3" for the third of the second report."""
        several = len(self.reports) > 1
        return [
            Point(rung, f"{i + 1}.{j + 1}" if several else f"{j + 1}", i, hover(rung, report))
            for i, report in enumerate(self.reports.values())
            for j, rung in enumerate(report.rungs)
        ]


def gather(folders: Sequence[Path]) -> dict[str, Report]:
    """Read report.json of each folder (or the named files). Raises `LeanformerError` if one does not exist."""
    found: dict[str, Report] = {}
    for folder in folders:
        path = folder / "report.json" if folder.is_dir() else folder
        if not path.is_file():
            raise LeanformerError(
                f"{path}: no such report\n  remedy: give a folder that `leanformer compress` wrote, or a report's file"
            )
        # The folder's name, not its path: the page may be shared, and should not reveal where it was made.
        stem = path.resolve().parent.name if path.name == "report.json" else path.stem
        name, count = stem, 2
        while name in found:
            name, count = f"{stem} ({count})", count + 1
        found[name] = Report.read(path)
    return found


def hover(rung: Rung, report: Report) -> str:
    """The tooltip of a point: name, figures, and how it was made."""
    lines = [
        f"{rung.name} ({report.title})",
        f"{100 * rung.quality:.2f} % {rung.metric}{clean_mark(rung)}, {rung.throughput_per_second:,.0f} texts/s, "
        f"{rung.latency_ms_p50:.2f} ms, {rung.bytes / 1e6:.1f} MB",
        rung.runtime,
    ]
    return "\n".join([*lines, *(step_words(step) for step in rung.lineage or ())])


def step_words(step: Mapping[str, Any]) -> str:
    """A step with its options that are neither empty nor off."""
    options = step.get("options") or {}
    chosen = [f"{key} {value}" for key, value in options.items() if value not in (None, False, [], (), {})]
    return str(step["step"]) + (": " + ", ".join(chosen) if chosen else "")


def cost_rows(gathered: Gathered) -> list[tuple[str, ...]]:
    """For every rung: its number, its name, and USD per 100 million texts at each price."""
    reports = list(gathered.reports.values())
    rows = []
    for point in gathered.points():
        threads = int(reports[point.report].machine["threads"])
        rate = point.rung.throughput_per_second
        usd = [usd_per_100m(rate, price.for_threads(threads)) for price in gathered.prices]
        rows.append((point.number, point.rung.name, *(f"{cost:,.2f}" for cost in usd)))
    return rows


def break_even_words(gathered: Gathered) -> list[str]:
    """For each report, after how many texts its chosen rung has paid for the compression, if that is known."""
    several = len(gathered.reports) > 1
    return [
        f"{name}: {said}" if several else said
        for name, report in gathered.reports.items()
        for said in break_even(report, gathered.spent_usd)
    ]


def gathered_json(gathered: Gathered) -> dict[str, Any]:
    """Everything on the page as plain JSON: the unchanged reports, and the fronts."""
    points = gathered.points()
    fronts = {}
    for measure in drawable(points):
        drawn = shown(points, measure)
        values = [float(measure.read(point.rung) or 0) for point in drawn]
        costs = [-v for v in values] if measure.more_is_better else values
        fronts[measure.key] = [drawn[i].number for i in pareto_front(costs, [p.rung.quality for p in drawn])]
    return {
        "reports": {name: report.to_json() for name, report in gathered.reports.items()},
        "points": {point.number: point.rung.name for point in points},
        "pareto_fronts": fronts,
        "break_even": break_even_words(gathered),
        "command": gathered.command,
        "notes": list(gathered.notes),
    }
