"""How many planted duplicates and leaks are found: tables of docs/how-to/curate.md, put there by readme.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages.cell_tables import paragraph
from leanformer.strict_json import read_json

WAYS = {"exact": "exact", "minhash": "MinHash"}
LEAKED = ("exact", "recased", "one word replaced")


def planted_duplicates(results: Path) -> str:
    """The tables; a sentence where nothing has been measured."""
    path = results / "data" / "duplicates.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.data.duplicates`."
    result = read_json(path)
    about = (
        f"Copies in which words were replaced at random, among other texts (`{result['command']}`). `pairs`: all pairs "
        "of texts that reach the threshold, counted from the whole matrix of shared 5-grams; `found`: the share of "
        "them that each way finds; `wrong`: pairs that it finds and that do not reach it."
    )
    leaks = (
        "Test texts that were put into train, in per cent found: as they were and in capitals by equality after "
        "normalisation, with one word replaced as near texts. `shuffled`: as many texts of shuffled words, none of "
        "which is in train. `again`: rows that a second removal of duplicates removes."
    )
    time = (
        "Time and peak memory of clustering short texts, drawn from the words of AG News, one thread; `before` is the "
        "memory with the texts alone."
    )
    planted = [
        [
            row["set"], f"{row['texts']:,}", f"{row['threshold']:g}", WAYS[row["way"]], f"{row['brute_force']:,}",
            f"{100 * row['of_brute_force']:.1f} %", f"{row['not_near']}",
        ]
        for row in result["planted"]
    ]  # fmt: skip
    leaked = [
        [row["set"], f"{row['n']:,}", *_leaked(row), f"{row['false']}", f"{row['again']}"] for row in result["leaks"]
    ]
    timed = [
        [
            f"{row['texts']:,}", f"{row['clusters']:,}", f"{row['seconds']:.0f}", f"{row['cpu_seconds']:.0f}",
            f"{row['peak_mb']:,}", f"{row['peak_mb_before']:,}",
        ]
        for row in result["time"]
    ]  # fmt: skip
    parts = [
        paragraph(about),
        _table(("set", "texts", "threshold", "search", "pairs", "found", "wrong"), planted),
        paragraph(leaks),
        _table(("set", "test texts", "equal", "in capitals", "one word replaced", "shuffled", "again"), leaked),
        paragraph(time),
        _table(("texts", "clusters", "seconds", "CPU seconds", "peak, MB", "before, MB"), timed),
    ]
    return "\n\n".join(parts)


def _leaked(row: Mapping[str, Any]) -> list[str]:
    equal, recased, edited = (row[kind] for kind in LEAKED)
    return [f"{equal['exactly']:.1f}", f"{recased['exactly']:.1f}", f"{edited['nearly']:.1f}"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])
