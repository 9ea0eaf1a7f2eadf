"""The two charts of a report: quality against cost, and the distribution of latency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from leanformer.first_rungs import FLOOR
from leanformer.metrics.pareto import pareto_front
from leanformer.render.energy import per_1000
from leanformer.render.svg import MARKS, axis_for, line, mark, picture, spread, text, tick_label
from leanformer.render.table import number
from leanformer.report import LATENCY_PERCENTS, Rung

_GRID, _INK = 'class="grid"', 'class="ink"'


@dataclass(frozen=True)
class Point:
    """A rung in a chart: its number in the ladder, the number of its report (from 0), and its tooltip."""

    rung: Rung
    number: str
    report: int
    hover: str


@dataclass(frozen=True)
class Measure:
    """A measure that quality may be plotted against: where it is read, and whether higher is better."""

    key: str
    title: str
    read: Callable[[Rung], float | None]
    more_is_better: bool = False


MEASURES = (
    Measure("throughput", "texts per second (more is better)", lambda rung: rung.throughput_per_second, True),
    Measure("latency", "latency of one text, median, ms", lambda rung: rung.latency_ms_p50),
    Measure("size", "size on disk, MB", lambda rung: rung.bytes / 1e6),
    Measure("usd", "USD per 100 million texts", lambda rung: rung.usd_per_100m),
    Measure("memory", "peak memory, MB", lambda rung: rung.peak_memory_bytes and rung.peak_memory_bytes / 1e6),
    Measure("flops", "million operations per text", lambda rung: rung.flops_per_text and rung.flops_per_text / 1e6),
    Measure("cpu", "CPU-seconds per 1,000 texts", lambda rung: rung.cpu_seconds_per_1000),
    Measure("energy", "joules per 1,000 texts", lambda rung: per_1000(rung.energy, "energy_joules")),
    Measure("carbon", "gCO2e per 1,000 texts", lambda rung: per_1000(rung.energy, "carbon_grams")),
)  # fmt: skip


def drawable(points: Sequence[Point]) -> list[Measure]:
    """The measures that every point has, except the floor: a linear model has no count of operations."""
    needed = [point for point in points if point.rung.name != FLOOR] or points
    return [measure for measure in MEASURES if all(measure.read(point.rung) for point in needed)]


def shown(points: Sequence[Point], measure: Measure) -> list[Point]:
    """The points that have the measure."""
    return [point for point in points if measure.read(point.rung)]


def pareto_chart(points: Sequence[Point], measure: Measure) -> str:
    """Quality (with its 95 % interval) against `measure`: filled marks and the line are the Pareto front."""
    width, height, left, right, top, bottom = 640.0, 400.0, 64.0, 616.0, 16.0, 346.0
    points = shown(points, measure)
    values = [float(measure.read(point.rung) or 0) for point in points]
    quality = [100 * point.rung.quality for point in points]
    ends = [100 * v for point in points for v in _interval(point.rung)]
    x, y = axis_for(values, left, right, positive=True), axis_for(ends, bottom, top)
    costs = [-v for v in values] if measure.more_is_better else values
    front = pareto_front(costs, quality)
    body = [
        line(left, y.at(t), right, y.at(t), _GRID) + text(left - 8, y.at(t) + 4, f"{t:g}", anchor="end")
        for t in y.ticks()
    ]
    body += [line(x.at(t), top, x.at(t), bottom, _GRID) + text(x.at(t), bottom + 20, tick_label(t)) for t in x.ticks()]
    body.append(text((left + right) / 2, height - 12, measure.title + (", logarithmic" if x.logarithmic else "")))
    middle = (top + bottom) / 2
    body.append(text(16, middle, "quality, %", style=f'transform="rotate(-90 16 {middle:g})"'))
    path = " ".join(f"{x.at(values[i]):.1f},{y.at(quality[i]):.1f}" for i in front)
    body.append(f'<polyline points="{path}" class="front"/>')
    places = spread([(x.at(value), y.at(percent)) for value, percent in zip(values, quality, strict=True)])
    for i, point in enumerate(points):
        here = x.at(values[i])
        low, high = y.at(100 * point.rung.quality_low), y.at(100 * point.rung.quality_high)
        body.append(
            f"<g><title>{escape(point.hover)}</title>{line(here, low, here, high, _INK)}"
            + mark(MARKS[point.report % len(MARKS)], here, y.at(quality[i]), filled=i in front)
            + text(*places[i], point.number, anchor="start", style='class="number"')
            + "</g>"
        )
    return picture(width, height, body, f"Quality against {measure.title}")


def _interval(rung: Rung) -> tuple[float, float, float]:
    return rung.quality_low, rung.quality, rung.quality_high


def latency_chart(points: Sequence[Point]) -> str:
    """For every rung with quantiles: 5th to 95th percentile as a line, 20th to 80th as a bar, the median as a tick."""
    timed = [point for point in points if point.rung.latency_ms_quantiles]
    if not timed:
        return ""
    place = {percent: i for i, percent in enumerate(LATENCY_PERCENTS)}
    row, left, right, top = 30.0, 48.0, 616.0, 8.0
    bottom = top + row * len(timed)

    def at(point: Point, percent: int) -> float:
        return float((point.rung.latency_ms_quantiles or ())[place[percent]])

    x = axis_for([at(point, p) for point in timed for p in (1, 99)], left, right, positive=True)
    body = [line(x.at(t), top, x.at(t), bottom, _GRID) + text(x.at(t), bottom + 18, tick_label(t)) for t in x.ticks()]
    for i, point in enumerate(timed):
        y = top + row * (i + 0.5)
        q5, q20, q50, q80, q95 = (at(point, percent) for percent in (5, 20, 50, 80, 95))
        hover = f"{point.rung.name}: median {number(q50)} ms, 5 % to 95 %: {number(q5)} to {number(q95)} ms"
        box = f'<rect x="{x.at(q20):.1f}" y="{y - 6:.1f}" width="{max(1.0, x.at(q80) - x.at(q20)):.1f}" height="12" '
        body.append(
            f"<g><title>{escape(hover)}</title>{line(x.at(q5), y, x.at(q95), y, _INK)}"
            + box + 'class="bar"/>'
            + line(x.at(q50), y - 9, x.at(q50), y + 9, 'class="median"')
            + text(left - 10, y + 4, point.number, anchor="end", style='class="number"')
            + "</g>"
        )  # fmt: skip
    title = "latency of one text, ms" + (", logarithmic" if x.logarithmic else "")
    body.append(text((left + right) / 2, bottom + 40, title))
    return picture(640, bottom + 48, body, "Latency distributions")
