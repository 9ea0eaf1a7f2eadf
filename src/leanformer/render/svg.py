"""The few parts of a chart: an axis with round ticks, marks of different shapes, escaped text.

Colours and widths are those of page.css, by class.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

MARKS = ("circle", "square", "triangle", "diamond", "cross")

_CORNERS: dict[str, list[tuple[float, float]]] = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle": [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
    "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    "cross": [(-1, -0.4), (-0.4, -0.4), (-0.4, -1), (0.4, -1), (0.4, -0.4), (1, -0.4), (1, 0.4), (0.4, 0.4),
              (0.4, 1), (-0.4, 1), (-0.4, 0.4), (-1, 0.4)],
}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """Maps values to positions.

    Attributes:
        low, high: values at the ends. start, end: positions of the ends in the chart.
        logarithmic: whether equal ratios, rather than equal differences, are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        low, high = (log10(self.low), log10(self.high)) if self.logarithmic else (self.low, self.high)
        there = log10(value) if self.logarithmic else value
        return self.start + (there - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values inside the axis: 1, 2 and 5 times powers of ten on a logarithmic one."""
        if self.logarithmic:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            steps = (1, 2, 5) if len(powers) <= 4 else (1,)
            return [
                step * 10.0**power for power in powers for step in steps if self.low <= step * 10.0**power <= self.high
            ]
        rough = (self.high - self.low) / 8
        power = 10.0 ** floor(log10(rough))
        step = next(power * number for number in (1, 2, 5, 10) if power * number >= rough)
        # Rounded, so that 3 * 0.1 is written 0.3.
        return [round(step * i, 12) for i in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


def axis_for(values: list[float], start: float, end: float, *, positive: bool = False) -> Axis:
    """An axis for all values, with a margin; logarithmic if `positive` values span more than a factor of 5."""
    low, high = min(values), max(values)
    if positive and low > 0 and high / low > 5:
        return Axis(low / 1.3, high * 1.3, start, end, logarithmic=True)
    margin = 0.08 * (high - low) or max(abs(high) * 0.05, 1e-9)
    return Axis(max(0.0, low - margin) if positive else low - margin, high + margin, start, end)


def mark(kind: str, x: float, y: float, *, filled: bool, size: float = 6) -> str:
    """A shape around a point; hollow unless `filled`, so that no colour is needed to tell them apart."""
    style = f'class="{"filled" if filled else "hollow"}"'
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {style}/>'
    points = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in _CORNERS[kind])
    return f'<polygon points="{points}" {style}/>'


def line(x1: float, y1: float, x2: float, y2: float, style: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def text(x: float, y: float, words: str, *, anchor: str = "middle", style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {style}>{escape(words)}</text>'


def picture(width: float, height: float, body: list[str], label: str) -> str:
    """A chart that scales with the page, with a label for screen readers."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">' + "".join(body) + "</svg>"
    )


# The classes of page.css, for a separate file; on white, so that it is readable on any page.
_STYLE = """text { font: 13px system-ui, sans-serif; fill: #1a1a1a } .grid { stroke: #dcdcdc }
.ink { stroke: #1a1a1a; stroke-width: 1.4 } .filled { fill: #1a1a1a; stroke: #1a1a1a; stroke-width: 1.6 }
.front { fill: none; stroke: #1a1a1a; stroke-width: 1.4; stroke-dasharray: 5 3 } text.number { font-weight: 700 }
.hollow { fill: #ffffff; stroke: #1a1a1a; stroke-width: 1.6 }"""


def standalone(chart: str, below: str, *, width: int, chart_height: int, height: int) -> str:
    """A `picture` with more drawn below it, as an SVG file that contains its style."""
    inner = chart.replace("<svg ", f'<svg width="{width}" height="{chart_height}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#ffffff"/>{inner}{below}</svg>\n'
    )


def spread(anchors: list[tuple[float, float]], *, height: float = 15, width: float = 24) -> list[tuple[float, float]]:
    """Positions for small labels next to their points: above right, or the nearest free place up or down."""
    taken: list[tuple[float, float]] = []
    for x, y in anchors:
        tries = [(x + 10, y - 8 + step * height / 2) for step in sorted(range(-24, 25), key=lambda k: (abs(k), k))]
        free = (
            place for place in tries if all(abs(place[0] - a) >= width or abs(place[1] - b) >= height for a, b in taken)
        )  # fmt: skip
        taken.append(next(free, tries[0]))
    return taken


def tick_label(value: float) -> str:
    """The fewest characters that tell ticks apart: 0.5, 20, 1,000."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:g}"
