"""The orderings that XtremeDistil's table of strategies has, looked at in cells of our own."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from leanformer.files import sha256_json

# What the paper's table orders: the first above the second.
ORDERINGS = (("D0-S", "D0"), ("D1", "D0-S"), ("D3.2", "D3.1"), ("D4.2", "D4.1"), ("D4.2", "D1"), ("D4.2", "D2"))
_TOLD = ("transfer", "embedding", "units", "epochs", "vocabulary", "pieces")


def orderings(cells: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The published orderings, with the mean test figure of both sides over the seeds that both have."""
    alike: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        # A language's own students (D0) have fewer sentences each, and so more epochs, by the same rule. Students of a
        # teacher that was trained again, on another machine, are set beside each other, as those of a seed are.
        passed = ("strategy", "seed", "least_steps", "teacher")
        rest = {name: value for name, value in cell["settings"].items() if name not in passed}
        alike.setdefault(sha256_json(rest), []).append(cell)
    for group in alike.values():
        figures = {(cell["settings"]["strategy"], _alike(cell["settings"])): cell["test"]["mean_f1"] for cell in group}
        for above, below in ORDERINGS:
            pairs = sorted({pair for name, pair in figures if name == above and (below, pair) in figures})
            if pairs:
                seeds = [seed for seed, _ in pairs]
                means = [
                    round(statistics.fmean(figures[strategy, pair] for pair in pairs), 2) for strategy in (above, below)
                ]
                yield {
                    **{name: group[0]["settings"].get(name) for name in _TOLD},
                    "above": above, "below": below, "seeds": seeds, "means": means, "holds": means[0] > means[1],
                }  # fmt: skip


def _alike(settings: dict[str, Any]) -> tuple[int, str]:
    """What two students must share for one to be set beside the other: seed and teacher."""
    return settings["seed"], str(settings.get("teacher", ""))
