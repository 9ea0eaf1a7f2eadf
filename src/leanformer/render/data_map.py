"""A data map as a picture and as a table: which rows are easy, ambiguous or hard to learn."""

from __future__ import annotations

import numpy as np

from leanformer.curate.data_map import HARD, QUANTILES, DataMap
from leanformer.render.svg import Axis, line, mark, picture, standalone, text, tick_label

# More points than this hide each other; they are drawn at random.
MOST_POINTS = 2000
_WIDTH, _HEIGHT, _BELOW = 640, 420, 40
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 620, 20, 370
_TITLES = {
    "confidence": "mean probability of the label", "variability": "its standard deviation over epochs",
    "correctness": "share of epochs with the right answer", "forgetting": "right, then wrong: times",
    "error": "EL2N, mean over epochs", "information": "usable information, bits",
    "depth": "layer from which the answer stays",
}  # fmt: skip


def map_svg(mapped: DataMap) -> str:
    """Confidence against variability of each row, an SVG file; hollow rows are never right, filled ones always."""
    measures = mapped.measures
    x, y = Axis(0.0, 0.5, _LEFT, _RIGHT), Axis(0.0, 1.0, _BOTTOM, _TOP)
    body = [line(_LEFT, y.at(value), _RIGHT, y.at(value), 'class="grid"') for value in y.ticks()]
    body += [text(_LEFT - 8, y.at(value) + 4, tick_label(value), anchor="end") for value in y.ticks()]
    body += [text(x.at(value), _BOTTOM + 18, tick_label(value)) for value in x.ticks()]
    body += [
        line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, 'class="ink"'),
        text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "variability"), text(_LEFT, _TOP - 6, "confidence", anchor="start"),
    ]  # fmt: skip
    count = len(measures["confidence"])
    for row in np.sort(np.random.default_rng(0).permutation(count)[:MOST_POINTS]):
        right = measures["correctness"][row]
        body.append(
            mark(
                "circle" if right in (0, 1) else "triangle", x.at(float(measures["variability"][row])),
                y.at(float(measures["confidence"][row])), filled=right == 1, size=2.5,
            )
        )  # fmt: skip
    shown = "" if count <= MOST_POINTS else f"; {MOST_POINTS:,} of {count:,} rows, drawn at random"
    below = text(_LEFT, _HEIGHT + 22, f"filled: always right, hollow circle: never, triangle: sometimes{shown}",
                 anchor="start")  # fmt: skip
    chart = picture(_WIDTH, _HEIGHT, body, f"Data map of {count} rows")
    return standalone(chart, below, width=_WIDTH, chart_height=_HEIGHT, height=_HEIGHT + _BELOW)


def map_table(mapped: DataMap) -> list[str]:
    """Quantiles of each measure, and its correlation with confidence, as lines of Markdown."""
    value, agreement = mapped.to_json(), mapped.agreement
    lines = [f"| measure | {' | '.join(QUANTILES)} | agrees with confidence |", "|---" * (len(QUANTILES) + 2) + "|"]
    for name in HARD:
        if name in mapped.measures:
            quantiles = " | ".join(f"{value['quantiles'][name][key]:.2f}" for key in QUANTILES)
            agrees = "" if name == "confidence" else f"{agreement[name]['confidence']:.2f}"
            lines.append(f"| {name}: {_TITLES[name]} | {quantiles} | {agrees} |")
    return [
        *lines, "",
        "Agreement is Spearman's correlation of how hard rows are. Every row is in `map.jsonl`. Rows of low "
        "confidence are often mislabelled, or need more rows like them; leaving out easy rows saves training time.",
    ]  # fmt: skip
