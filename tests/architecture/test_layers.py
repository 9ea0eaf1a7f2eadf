"""The order of the rooms that `docs/architecture.md` shows is the one that import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def shown(page: str) -> list[str]:
    """The lines of the block that begins with `cli`."""
    found = re.search(r"```text\n(cli\n.*?)```", page, re.S)
    assert found is not None, "the page has no block of layers"
    return found[1].split("\n")[:-1]


def test_the_page_shows_the_layers_that_are_checked():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    whole = max((contract["layers"] for contract in contracts if "layers" in contract), key=len)
    assert shown(PAGE) == [layer.replace("(", "").replace(")", "") for layer in whole]


def test_every_room_and_noun_has_its_layer():
    package = ROOT / "src" / "leanformer"
    named = {name for line in shown(PAGE) for name in line.split(" | ")}
    there = {path.stem for path in package.iterdir() if path.name[0] != "_" and (path.is_dir() or path.suffix == ".py")}
    assert there - named == set() and named - there == set()


def test_files_that_the_page_names_exist():
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`", PAGE)
    source = {path.relative_to(ROOT / "src" / "leanformer").as_posix() for path in (ROOT / "src").rglob("*.py")}
    missing = [
        name
        for name in named
        if not (ROOT / name).exists()
        and not (ROOT / "tests" / name).exists()
        and not (ROOT / "docs" / name).exists()
        and not any(f"/{path}".endswith(f"/{name}") or f"/{name}" in f"/{path}" for path in source)
        and not any(f"/{name}" in f"/{path}" for path in map(str, (ROOT / "benchmarks").rglob("*.py")))
    ]
    assert len(named) > 60 and missing == []
