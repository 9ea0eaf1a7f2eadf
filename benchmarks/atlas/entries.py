"""What `atlas.yaml` says: benches, techniques, and the rows of the surveys, with the state of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from benchmarks.paths import RESULTS, ROOT
from leanformer import catalog


@dataclass(frozen=True)
class Technique:
    """A line of the atlas; the fields are those that the head of `atlas.yaml` explains."""

    name: str
    rows: tuple[int, ...]
    paper: str
    bench: str
    code: str = ""
    limit: str = ""
    limited: Mapping[str, Any] = field(default_factory=dict)
    toy: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    rates: tuple[float, ...] = ()
    called: str = ""
    published: str = ""
    missing: str = ""

    @property
    def kind(self) -> str:
        """Its name in the bench: that of its file, or what it is called where a file has two."""
        return self.called or self.code.partition(":")[0].rpartition(".")[2]

    @property
    def file(self) -> Path:
        return ROOT / "src" / f"{self.code.partition(':')[0].replace('.', '/')}.py"

    @property
    def lines(self) -> int:
        """Lines of its file."""
        return len(self.file.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True)
class Row:
    """A technique or system of the surveys."""

    row: int
    name: str
    paper: str
    by: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    lacks: str = ""
    reason: str = ""
    absent: str = ""


@dataclass(frozen=True)
class Atlas:
    """All of `atlas.yaml`."""

    benches: Mapping[str, Mapping[str, str]]
    techniques: tuple[Technique, ...]
    rows: tuple[Row, ...]

    def bench(self, name: str) -> list[Technique]:
        """The techniques of a bench, in their order."""
        return [technique for technique in self.techniques if technique.bench == name]


def read_atlas(path: Path = ROOT / "atlas.yaml") -> Atlas:
    """Read it; raises `TypeError` for a field that there is not."""
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    techniques = tuple(
        Technique(**{**entry, "rows": tuple(entry["rows"]), "rates": tuple(entry.get("rates", ()))})
        for entry in value["techniques"]
    )
    lists = ("by", "results")
    rows = tuple(
        Row(**{key: tuple(part) if key in lists else part for key, part in entry.items()}) for entry in value["rows"]
    )
    return Atlas(value["benches"], techniques, rows)


# State -> what it says, in the order of the page.
STATES = {
    "works and measured": "part of the product, with a stored result",
    "works in part": "part of the product, and something of it is not there or not measured",
    "measured as reference": "a reference implementation, measured in the atlas",
    "reference, not measured": "a reference implementation with its tests; its bench has not been run yet",
    "absent with a reason": "cannot be here, and why",
    "absent": "not written",
}


def states(atlas: Atlas, results: Path = RESULTS) -> dict[int, str]:
    """The state of every row, by its number."""
    written = {row for technique in atlas.techniques if technique.code for row in technique.rows}
    measured = {row for each in stored(atlas.benches, results).values() for entry in each for row in entry["seed_rows"]}
    return {row.row: _state(row, row.row in written, row.row in measured) for row in atlas.rows}


def _state(row: Row, written: bool, measured: bool) -> str:
    if row.by:
        return "works in part" if row.lacks else "works and measured"
    if written:
        return "measured as reference" if measured else "reference, not measured"
    return "absent with a reason" if row.reason else "absent"


def stored(benches: Iterable[str], results: Path = RESULTS) -> dict[str, list[dict[str, Any]]]:
    """The stored rows of each bench; none where it has not been run."""
    paths = {bench: results / "atlas" / f"{bench}.json" for bench in benches}
    return {
        bench: json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
        for bench, path in paths.items()
    }


def problems(atlas: Atlas, results: Path = RESULTS) -> list[str]:
    """What is wrong with the entries, a sentence each: rows that say nothing, code and results that are not there."""
    found, numbers = [], {row.row for row in atlas.rows}
    written = {row for technique in atlas.techniques if technique.code for row in technique.rows}
    for row in atlas.rows:
        if not (row.by or row.reason or row.absent or row.row in written):
            found.append(f"row {row.row} ({row.name}) has neither a technique, nor a reason, nor what is absent")
        if row.by and not (row.results or row.lacks):
            found.append(f"row {row.row} ({row.name}) has neither a result nor what it lacks")
        if (row.by or row.row in written) and (row.reason or row.absent):
            found.append(f"row {row.row} ({row.name}) is there and absent")
        found += [f"row {row.row}: no {name}" for name in row.by if not _is_there(name)]
        found += [f"row {row.row}: no result {name}" for name in row.results if not (results / name).is_file()]
    for technique in atlas.techniques:
        if bool(technique.code) == bool(technique.missing):
            found.append(f"{technique.name} has either code or what is missing")
        if technique.bench not in atlas.benches or set(technique.rows) - numbers:
            found.append(f"{technique.name} names a bench or a row that there is not")
        if technique.code and not technique.file.is_file():
            found.append(f"{technique.name}: no {technique.code}")
    return found


def _is_there(name: str) -> bool:
    if name in catalog.TECHNIQUES:
        return True
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
