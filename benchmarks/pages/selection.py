"""Train without some of its rows: a table of docs/how-to/curate.md, put there by readme.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.pages.cell_tables import paragraph
from leanformer.strict_json import read_json


def selection(results: Path) -> str:
    """The table; a sentence where nothing has been measured."""
    path = results / "data" / "selection.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.data.selection`."
    result = read_json(path)
    about = (
        f"A share of train is kept, and models of a fixed setting are trained on it (`{result['command']}`; vectors of "
        f"{result['encoder']}; {len(result['seeds'])} seeds). Test accuracy in per cent, and its difference, in "
        "points, from as many random rows and from all rows, with 95 % intervals over test texts."
    )
    lines = ["| set | model | kept | rows | accuracy | over random rows | over all rows |", "|---" * 7 + "|"]
    lines += [_line(row) for row in result["rows"]]
    return f"{paragraph(about)}\n\n" + "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    kept = "all" if row["way"] == "all" else f"{100 * row['share']:.0f} %, {row['way']}"
    cells = [row["set"], row["model"], kept, f"{row['rows']:,}", f"{row['accuracy']:.1f}"]
    return f"| {' | '.join([*cells, _difference(row, 'gain'), _difference(row, 'over_all')])} |"


def _difference(row: Mapping[str, Any], word: str) -> str:
    return f"{row[word]:+.1f} ({row[f'{word}_low']:+.1f} to {row[f'{word}_high']:+.1f})" if word in row else ""
