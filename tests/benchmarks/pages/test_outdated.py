"""Which figures a page marks as older than the code, or as taken on a busy machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.pages import cost_page, readme
from benchmarks.pages.outdated import TABLES, made, mark, reasons
from benchmarks.provenance import PARTS, record_of

NOW = {places[0]: "now" for places in PARTS.values()}
QUIET, BUSY = {"busy": False}, {"busy": True}


def of(commit: str | None = "abc", load: dict[str, Any] | None = QUIET, **changed: str) -> dict[str, Any]:
    """A result of sources as they are now but in the parts named; the record is in the place of its name."""
    then = NOW | {PARTS[part][0]: value for part, value in changed.items()}
    part = {"value": 1, "sources": then, "load": load}
    return part if commit is None else part | {"commit": commit}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (of(), []),
        (of(server="old"), []),  # nothing here depends on it
        (of(None), ["before results named their commit"]),
        ({"commit": "abc"}, ["from sources that are not in the repository"]),
        (of(engine="old"), ["before the last change of the engine"]),
        (of(engine="old", training="old"), ["before the last change of the engine and training and compression"]),
        (of(load=BUSY), ["on a busy machine"]),
        (of(load={"busy": None}), []),
        (of(load=None), []),
        # A ladder tells the load while it was timed, whatever it was while a student was trained.
        (of(load=BUSY) | {"machine_load": QUIET}, []),
        (of() | {"machine_load": BUSY}, ["on a busy machine"]),
        (of(load=BUSY) | {"machine_load": None}, ["on a busy machine"]),
        (of(engine="old", load=BUSY), ["before the last change of the engine", "on a busy machine"]),
    ],
)
def test_reasons(part: dict[str, Any], said: list[str], tmp_path: Path):
    assert reasons(recorded(part, tmp_path), ("engine", "training"), NOW, tmp_path) == said


@pytest.mark.parametrize(
    ("result", "count"),
    [
        (of(), 1), ([of(), of(), {}], 3), ({"table": "t", "cells": [of(), {}]}, 2), ({"sst2": of(), "trec": {}}, 2),
        ({"texts": 3, "rows": [{}]}, 1), ({"commit": "abc", "cells": [{}, {}]}, 1),
    ],
)  # fmt: skip
def test_parts_are_what_was_measured_at_once(result: Any, count: int):
    assert len(list(made(result))) == count


def recorded(part: dict[str, Any], results: Path) -> dict[str, Any]:
    return part | {"sources": record_of(part["sources"], results)} if "sources" in part else part


def write(results: Path, **files: Any) -> None:
    for name, result in files.items():
        parts = [recorded(part, results) for part in result] if isinstance(result, list) else recorded(result, results)
        (results / f"{name}.json").write_text(json.dumps(parts), encoding="utf-8")


def test_what_was_not_loaded_does_not_count_and_what_is_gone_does(tmp_path: Path):
    part = recorded({"commit": "abc", "sources": {"src/leanformer/train/a.py": "1"}}, tmp_path)
    now = {"src/leanformer/train/a.py": "1", "src/leanformer/train/b.py": "2"}
    assert reasons(part, ("training",), now, tmp_path) == []
    said = ["before the last change of training and compression"]
    assert reasons(part, ("training",), now | {"src/leanformer/train/a.py": "3"}, tmp_path) == said
    assert reasons(part, ("training",), {"src/leanformer/train/b.py": "2"}, tmp_path) == said
    assert reasons(part, ("engine",), {}, tmp_path) == []


def test_a_mark_names_the_results_where_they_differ(tmp_path: Path):
    write(tmp_path, killed=of(), memory=of(engine="old"))
    assert mark(tmp_path, "reliability", NOW) == "*Measured before the last change of the engine (memory).*"
    write(tmp_path, killed=of(engine="old"))
    assert mark(tmp_path, "reliability", NOW) == "*Measured before the last change of the engine.*"
    # A further change leaves the page as it is.
    assert mark(tmp_path, "reliability", NOW | {PARTS["engine"][0]: "newer"}) == mark(tmp_path, "reliability", NOW)


def test_rows_are_named_once(tmp_path: Path):
    write(tmp_path, runtime=[of(), of(peers="old"), of(peers="old")])
    assert mark(tmp_path, "runtime", NOW) == "*Measured before the last change of how the others are run.*"


def test_no_result_and_new_results_have_no_mark(tmp_path: Path):
    assert mark(tmp_path, "reliability", NOW) == ""
    write(tmp_path, killed=of(), memory=of())
    assert mark(tmp_path, "reliability", NOW) == ""


def test_every_table_of_the_pages_is_known():
    tables = {table for parts in readme.PAGES.values() for table in parts} | {"quality", "energy"}
    assert tables - set(TABLES) == set()
    assert {part for _, parts in TABLES.values() for part in parts} <= set(PARTS)


def test_pages_show_the_mark(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readme, "mark", lambda results, table: f"*Measured before {table}.*")
    assert readme.marked("sets", lambda: "| a |")() == "| a |\n\n*Measured before sets.*"
    monkeypatch.setattr(cost_page, "mark", lambda results, table: f"*Measured before {table}.*")
    page = "".join(f"<!-- {name}: begin -->\n<!-- {name}: end -->\n" for name in ("quality", "energy"))
    assert "*Measured before energy.*\n<!-- energy: end -->" in cost_page.filled(page)
