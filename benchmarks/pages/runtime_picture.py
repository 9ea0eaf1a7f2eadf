"""The rows of benchmarks/results/runtime.json as a picture: runtime.svg beside it.

    python -m benchmarks.pages.runtime_picture

One panel for each kind of work, one bar for each way to run the model, ours filled; the line through the end of a bar
goes from its slowest round to its fastest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.paths import RESULTS
from benchmarks.runtime.rows import QUALITY, TUNED, Row
from leanformer.files import write_text
from leanformer.render.svg import Axis, line, picture, text, tick_label

STYLE = (
    "<style>text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.grid{stroke:#ddd}.ink{stroke:#222}"
    ".ours{fill:#2563a8}.peer{fill:#b9bec6}@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}"
    ".ink{stroke:#ddd}.peer{fill:#6b7280}.ours{fill:#6aa5e8}}</style>"
)


@dataclass(frozen=True)
class Bar:
    """Texts per second of one way: the median, the slowest and the fastest round."""

    name: str
    ours: bool
    value: float
    low: float
    high: float


def bars(rows: Sequence[Row]) -> list[Bar]:
    """Each way once, the fastest first; the tuned choice is one of ours that is there already."""
    found: dict[str, Bar] = {}
    for row in rows:
        if row["ours_name"] == TUNED:
            continue
        for side in ("ours", "peer"):
            name = row[f"{side}_name"]
            rounds = row[f"{side}_rounds"]
            ours = side == "ours" or row.get("peer_ours", False)
            found.setdefault(name, Bar(name, ours, row[side], min(rounds), max(rounds)))
    return sorted(found.values(), key=lambda bar: -bar.value)


def draw(rows: Sequence[Row]) -> str:
    """An SVG that stands alone; axes begin at nought, so that lengths can be compared."""
    row_height, left, right, width = 22.0, 300.0, 730.0, 800.0
    body, top = [STYLE], 10.0
    for work in dict.fromkeys(row["work"] for row in rows if row["work"] != QUALITY):
        shown = bars([row for row in rows if row["work"] == work])
        x = Axis(0.0, 1.05 * max(bar.high for bar in shown), left, right)
        bottom = top + 26 + row_height * len(shown)
        body.append(text(12, top + 16, work, anchor="start", style='class="title"'))
        for tick in x.ticks():
            body.append(line(x.at(tick), top + 24, x.at(tick), bottom, 'class="grid"'))
            body.append(text(x.at(tick), bottom + 14, tick_label(tick)))
        for i, bar in enumerate(shown):
            y = top + 26 + row_height * (i + 0.5)
            body.append(text(left - 8, y + 4, bar.name, anchor="end"))
            body.append(
                f'<rect x="{left:g}" y="{y - 7:.1f}" width="{x.at(bar.value) - left:.1f}" height="14" '
                f'class="{"ours" if bar.ours else "peer"}"/>'
            )
            body.append(line(x.at(bar.low), y, x.at(bar.high), y, 'class="ink"'))
            body.append(text(x.at(bar.high) + 6, y + 4, tick_label(round(bar.value)), anchor="start"))
        top = bottom + 30
    body.append(text((left + right) / 2, top + 4, "texts per second, tokenizer included (more is better)"))
    return picture(width, top + 16, body, "Texts per second of each way to run the same model") + "\n"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = json.loads((RESULTS / "runtime.json").read_text(encoding="utf-8"))
    write_text(RESULTS / "runtime.svg", draw(rows))


if __name__ == "__main__":
    main()
