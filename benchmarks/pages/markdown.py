"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.atlas.entries import Technique

NOT_YET = "not measured"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def technique_lines(
    techniques: Sequence[Technique], rows: Sequence[Mapping[str, Any]], line: Any, columns: Sequence[str]
) -> list[tuple[str, ...]]:
    """What `line` makes of each stored row of each technique; one that says so where there is none."""
    found: list[tuple[str, ...]] = []
    for technique in techniques:
        own = [line(row) for row in rows if row["technique"] == technique.name]
        found += own or [(technique.name, NOT_YET, *[""] * (len(columns) - 2))]
    return found
