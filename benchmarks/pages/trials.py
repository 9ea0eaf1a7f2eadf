"""Techniques of one file each, beside the same run without: a table of docs/how-to/training-options.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ladders.floors import linear_floor
from benchmarks.pages.cell_tables import paragraph
from benchmarks.pages.leaked import beside
from leanformer.strict_json import read_json


def trials(results: Path) -> str:
    """A table for each data set; a sentence where there is none."""
    found = [read_json(path) for path in sorted((results / "trials").glob("*.json"))]
    if not found:
        return "Not measured yet: `python -m benchmarks.trials trec`."
    parts = [part for result in found for part in (paragraph(_about(result, results)), _table(result["summary"]))]
    return "\n\n".join(parts)


def _about(result: Mapping[str, Any], results: Path) -> str:
    rows, name = result["summary"], result["data"]
    seeds = sorted({seed for row in rows for seed in row["seeds"]})
    floor = linear_floor(results, name)
    fewer = [row["arm"] for row in rows if row["seeds"] != seeds]
    told = (
        f"{name}, MiniLM-L6, means over {_seeds(seeds)}, {rows[0]['n']} test texts{beside(results, name)}, learning "
        f"rates fixed beforehand (`python -m benchmarks.trials {name}`). `gain` is the difference on test to the first "
        "row of the group, in points, with a 95 % interval over texts, the seeds of a text together. Rows of a group "
        "that train take the same number of optimiser steps, not the same time."
    )
    if floor is not None:
        told += f" A linear model on n-grams has {100 * floor:.1f}."
    return told + (f" Fewer seeds: {', '.join(fewer)}." if fewer else "")


def _seeds(seeds: Sequence[int]) -> str:
    return "one seed" if len(seeds) == 1 else f"{len(seeds)} seeds"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| group | run | steps | CPU seconds | dev | test | gain |", "|---" * 7 + "|"]
    for row in rows:
        gain = f"{row['gain']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})" if "gain" in row else ""
        cells = [
            row["group"], row["arm"], f"{row['optimiser_steps']:,}", f"{row['cpu_seconds']:.0f}", f"{row['dev']:.1f}",
            f"{row['test']:.1f}", gain,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
