"""Tables about labelling: strategies beside random choice, and what learning curves predict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leanformer.strict_json import read_json

RANDOM = "random"
BELOW = 1.0
# Arms whose first batch is their own.
COLD = ("kmeans", "coreset from the start")


def active(results: Path) -> str:
    """Area under the curve beside that of random choice; cold start; labels to reach; where to stop."""
    path = results / "data" / "active.json"
    if not path.is_file():
        return "Not measured yet."
    result = read_json(path)
    sets: dict[str, Any] = result["sets"]
    arms = list(next(iter(sets.values()))["arms"])
    head = [f"{name} ({found['sizes'][0]} to {found['sizes'][-1]:,})" for name, found in sets.items()]
    first = [f"{name} ({found['sizes'][0]})" for name, found in sets.items()]
    return "\n".join(
        [
            f"Mean test accuracy over all sizes after the first batch, {result['draws']} draws, logistic regression on",
            f"vectors of {result['encoder']}: of random choice, and of each strategy the difference from it in points",
            "(95 % interval over draws, paired; bold where it is not 0). In brackets: labels.",
            "",
            *_head("strategy", head),
            _row(RANDOM, [f"{found['arms'][RANDOM]['area']:.1f}" for found in sets.values()]),
            *(_differences(arm, arm, sets, "area_minus_random") for arm in arms if arm != RANDOM),
            "",
            _never_below(arms, sets),
            "",
            "The first batch, which has no labels to learn from, beside a random one:",
            "",
            *_head("first batch", first),
            _row(RANDOM, [f"{found['arms'][RANDOM]['curve'][0]:.1f}" for found in sets.values()]),
            *(_differences(arm.split()[0], arm, sets, "first_minus_random") for arm in COLD),
            "",
            f"Labels until the mean over draws reaches {100 * result['share']:.0f} % of the accuracy with all labels",
            "of the pool:",
            "",
            *_head("", list(sets)),
            _row("all labels", [f"{found['full']:.1f} ({found['pool']:,})" for found in sets.values()]),
            *(_row(arm, [_reached(found, arm) for found in sets.values()]) for arm in arms if _reaches(sets, arm)),
            "",
            "Strategies that are not listed reach it on no set with the labels that they were given.",
            "",
            *_stops(sets),
        ]
    )


def _never_below(arms: list[str], sets: Mapping[str, Any]) -> str:
    """The strategies whose mean over draws is nowhere more than a point below that of random choice."""
    kept = [
        arm for arm in arms
        if arm != RANDOM and all(found["arms"][arm]["lowest_minus_random"] >= -BELOW for found in sets.values())
    ]  # fmt: skip
    names = ", ".join(f"`{arm}`" for arm in kept) or "none"
    return f"At no size of any of these sets more than {BELOW:g} point below random choice: {names}."


def _head(first: str, cells: list[str]) -> list[str]:
    return [_row(first, cells), "|---" * (1 + len(cells)) + "|"]


def _row(first: str, cells: list[str]) -> str:
    return f"| {first} | {' | '.join(cells)} |"


def _differences(name: str, arm: str, sets: Mapping[str, Any], key: str) -> str:
    return _row(name, [_difference(found["arms"][arm][key]) for found in sets.values()])


def _difference(figure: list[float]) -> str:
    value, low, high = figure
    text = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def _reaches(sets: Mapping[str, Any], arm: str) -> bool:
    return any(found["arms"][arm]["labels_to_reach"] is not None for found in sets.values())


def _reached(found: Mapping[str, Any], arm: str) -> str:
    reached = found["arms"][arm]["labels_to_reach"]
    return f"more than {found['sizes'][-1]:,}" if reached is None else f"{reached:,}"


def _stops(sets: Mapping[str, Any]) -> list[str]:
    """Where the rule would have stopped, of all draws of margin and of random choice."""
    lines = []
    for name, found in sets.items():
        for arm in ("margin", RANDOM):
            stops = [stop for stop in found["arms"][arm]["stops"] if stop is not None]
            draws = len(found["arms"][arm]["stops"])
            where = f", at {min(stops):,} to {max(stops):,} labels" if stops else ""
            lines.append(f"- {name}, {arm}: the rule says stop in {len(stops)} of {draws} draws{where}.")
    return lines


def curves(results: Path) -> str:
    """Predicted and actual quality with all labels."""
    path = results / "data" / "curves.json"
    if not path.is_file():
        return "Not measured yet."
    result = read_json(path)
    rows = [
        f"| {name} ({row['rows']:,}) | {kind} | {row['means'][-1]:.1f} | {row['foretold']:.1f} "
        f"({row['interval'][0]:.1f} to {row['interval'][1]:.1f}) | {row['actual']:.1f} | {row['error']:+.1f} |"
        for name, kinds in result["sets"].items()
        for kind, row in kinds.items()
    ]
    cells = [row for kinds in result["sets"].values() for row in kinds.values()]
    within, covered = (sum(bool(row[key]) for row in cells) for key in ("within", "in_interval"))
    return "\n".join(
        [
            f"Accuracy with all labels of train, predicted from at most {100 * result['largest_share']:.0f} % of them",
            f"({result['draws']} draws), beside that of a model trained on all. Encoder: {result['encoder']}.",
            "",
            "| data (rows of train) | features, measured on | with the largest part | predicted for all | actual | "
            "error |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"{within} of {len(cells)} are within {result['within']:g} points. The interval holds the actual figure in",
            f"{covered} of {len(cells)}: it covers the draws of training rows, not the error of the law itself.",
        ]
    )
