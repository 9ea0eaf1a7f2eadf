"""How well the measures of a data map find label errors: a table of docs/how-to/curate.md, put there by readme.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from leanformer.strict_json import read_json


def map_measures(results: Path) -> str:
    """The table; a sentence where nothing has been measured."""
    path = results / "data" / "maps.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.data.maps trec`."
    result = read_json(path)
    seconds = [f"{row['cpu_seconds']:.0f} CPU seconds on {name}" for name, row in result["sets"].items()]
    about = (
        f"A tenth of the labels is replaced by another one, and rows are ranked by each measure, hard ones first "
        f"(`{result['command']}`, encoder {result['encoder']}; means of the seeds). `AP` is the average "
        "precision, `first tenth` the share of wrong labels there, `seeds agree` Spearman's correlation between "
        "two trainings on the same labels, `agrees` that with confidence. The last two rows of a set are controls. "
        f"A map takes {', '.join(seconds)}."
    )
    lines = ["| set | rows | seeds | measure | AP | first tenth | seeds agree | agrees |", "|---" * 8 + "|"]
    for name, row in result["sets"].items():
        for measure, figures in row["measures"].items():
            lines.append(f"| {name} | {row['rows']:,} | {len(row['seeds'])} | {_cells(measure, figures, row)} |")
    return "\n\n".join([fill(about, 120, break_long_words=False, break_on_hyphens=False), "\n".join(lines)])


def _cells(measure: str, figures: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    agree, other = figures.get("seeds_agree"), row["agree_with_confidence"].get(measure)
    cells = [measure, f"{figures['average_precision']:.2f}", f"{figures['precision']:.2f}"]
    return " | ".join([*cells, *("" if value is None else f"{value:.2f}" for value in (agree, other))])
