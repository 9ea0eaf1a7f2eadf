"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

NOT_YET = "not measured"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
