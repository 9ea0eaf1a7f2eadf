"""What a technique's own test file says for the contract tests, read from its source.

The file of `leanformer.ROOM.NAME` is tests/ROOM/test_NAME.py. It has three constants:

    QUICK = {"epochs": 1}                       # options with which the technique runs on a tiny model in a second
    BAD = ({"epochs": 0}, {"epochs": "many"})   # options that are refused: a bad value, and one of a wrong type
    DEFAULTS = "1 0123456789ab"                 # the technique's version, and a hash of the options' defaults
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from leanformer import catalog

ROOT = Path(__file__).resolve().parents[2]
CONSTANTS = ("QUICK", "BAD", "DEFAULTS")


def own_test(name: str) -> Path:
    """The test file of a technique."""
    module = catalog.TECHNIQUES[name].partition(":")[0].split(".")
    return ROOT.joinpath("tests", *module[1:-1], f"test_{module[-1]}.py")


def constants(name: str, file: Path | None = None) -> dict[str, Any]:
    """The constants that the test file of a technique has; none where there is no such file."""
    file = file or own_test(name)
    if not file.is_file():
        return {}
    assignments = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    return {
        target.id: ast.literal_eval(node.value)
        for node in assignments
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in CONSTANTS
    }


def constant(name: str, what: str) -> Any:
    """One of them; the test that asks for it fails with a word on what is missing where."""
    values = constants(name)
    if what not in values:
        pytest.fail(missing(name, [what]), pytrace=False)
    return values[what]


def missing(name: str, lacking: list[str]) -> str:
    file = own_test(name).relative_to(ROOT)
    there = "lacks" if own_test(name).is_file() else "is not there; it is the place of"
    return f"{name}: {file} {there} {', '.join(lacking)} (tests/contracts/own_tests.py says what they are)"
