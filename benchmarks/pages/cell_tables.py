"""Parts of the tables of docs/xtremedistil.md: a paragraph, a table, and what cells have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from textwrap import fill
from typing import Any

Cell = dict[str, Any]

# The programs that results of 2026 were made by, when benchmarks/ was no package.
_MOVED = {
    "benchmarks/xtremedistil.py": "-m benchmarks.xtremedistil.run",
    "benchmarks/pieces.py": "-m benchmarks.xtremedistil.pieces",
    "benchmarks/task_transfer.py": "-m benchmarks.xtremedistil.task_transfer",
    "benchmarks/text_students.py": "-m benchmarks.xtremedistil.text_students",
}


def mean(cells: Iterable[Cell]) -> str:
    """The mean of test F1 over seeds, and its standard deviation where there are several."""
    return spread([cell["test"]["mean_f1"] for cell in cells])


def spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def grouped(cells: Iterable[Cell], *names: str) -> dict[tuple[Any, ...], list[Cell]]:
    """Cells that have the same settings of these names, in order."""
    found: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in sorted(cells, key=lambda entry: [str(entry["settings"].get(name)).rjust(9) for name in names]):
        found.setdefault(tuple(cell["settings"].get(name) for name in names), []).append(cell)
    return found


def commands(cells: Iterable[Cell]) -> str:
    """The commands that made the cells, as they are given today."""
    return ", ".join(f"`{command}`" for command in sorted({_today(cell["command"]) for cell in cells}))


def _today(command: str) -> str:
    for old, new in _MOVED.items():
        command = command.replace(old, new)
    return command


def where(cells: Iterable[Cell]) -> str:
    """The machines that they were made on."""
    each = sorted({(cell["machine"]["threads"], cell["machine"]["cpu"]) for cell in cells})
    return " and ".join(f"{threads} thread{'s' * (threads > 1)} of {cpu}" for threads, cpu in each)


def seeds_of(cells: Iterable[Cell]) -> str:
    count = len({cell["settings"]["seed"] for cell in cells})
    return f"{count} seed{'s' * (count > 1)}"


def seeds_in_words(seeds: Sequence[int]) -> str:
    return "mean of " * (len(seeds) > 1) + f"{len(seeds)} seed{'s' * (len(seeds) > 1)}"


def leaked(cells: Iterable[Cell]) -> bool:
    """Whether entity F1 of some cell was measured on a corpus that still had its repeats."""
    return any(
        "mean_f1" in cell.get("test", cell.get("dev", {}))
        and "f1_clean" not in cell
        and "repeats" not in cell["settings"]
        for cell in cells
    )


def its_own(settings: Cell) -> str:
    """Pieces that a student has of its own."""
    vocabulary = settings.get("vocabulary", "seen")
    return "" if vocabulary == "seen" else f", {settings['pieces']:,} {vocabulary} pieces of its own"


def each_fit(cell: Cell) -> str:
    """How long each fit is."""
    settings = cell["settings"]
    return f"{settings['epochs']} epoch{'s' * (settings['epochs'] > 1)} a fit"


def paragraph(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)
