"""How many test texts are in train, as the tables of the pages tell it: from benchmarks/results/leaks.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leanformer.render.leaks import clean_mark
from leanformer.report import Rung
from leanformer.strict_json import read_json

HEAD = "in train (or nearly)"


def leaks_of(results: Path, name: str) -> dict[str, Any] | None:
    """The counts of a data set; None where nobody has counted."""
    path = results / "leaks.json"
    return read_json(path)["sets"].get(name) if path.is_file() else None


def cell(results: Path, name: str) -> str:
    """Under `HEAD`: "11 (12)"."""
    found = leaks_of(results, name)
    return "not counted" if found is None else f"{found['exact']:,} ({found['near']:,})"


def beside(results: Path, name: str) -> str:
    """After the number of test texts, in a caption: ", of which 11 in train (12 with those that nearly are)"."""
    found = leaks_of(results, name)
    if found is None:
        return ""
    if not found["near"]:
        return ", none of them in train, nor nearly"
    return f", of which {found['exact']:,} in train ({found['near']:,} with those that nearly are)"


def about(results: Path) -> str:
    """What `HEAD` means."""
    if not (results / "leaks.json").is_file():
        return f"`{HEAD}` has not been counted yet: `python -m benchmarks.leaks`."
    found = read_json(results / "leaks.json")
    return (
        f"`{HEAD}`: test texts that are also in train, and in brackets these with those that nearly equal a text there "
        f"({found['nearly']}; `{found['command']}`)."
    )


def in_train(results: Path, sets: Mapping[str, str]) -> str:
    """The counts of several data sets, by the names that readers know them by, as a sentence."""
    if not (results / "leaks.json").is_file():
        return "Test texts that are also in train have not been counted yet: `python -m benchmarks.leaks`."
    found = read_json(results / "leaks.json")
    counts = ", ".join(f"{task} {cell(results, name)}" for task, name in sets.items())
    return (
        f"Test texts that are also in train, and in brackets these with those that nearly equal a text there: {counts} "
        f"({found['nearly']}; `{found['command']}`). Clean: without them."
    )


def quality(rung: Rung) -> str:
    """In per cent, with that on clean test where the report has it and fewer texts are clean."""
    return f"{100 * rung.quality:.1f}{clean_mark(rung, 1)}"


# As benchmarks/leaks.py names them.
_CORPORA = {
    "wikiann": "WikiANN as it is drawn",
    "wikiann, as the files are": "its files as they are",
    "masakhaner2": "MasakhaNER 2 as it is drawn",
}


def of_corpora(results: Path) -> str:
    """What is left between test and train of the taggers' corpora; nothing where nobody has counted."""
    found = {name: row for name in _CORPORA if (row := leaks_of(results, name)) is not None}
    if not found:
        return ""
    told = "; ".join(
        f"{_CORPORA[name]}: {row['exact']:,} of {row['n']:,} test sentences in train, {row['near']:,} with those that "
        "nearly are"
        for name, row in found.items()
    )
    return f"Corpora lose their repeats before anything is drawn. {told} (`python -m benchmarks.leaks`)."
