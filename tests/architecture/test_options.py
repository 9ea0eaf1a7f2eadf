"""Messages and remedies name options: each must be one that there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer.main

from leanformer.cli.app import app

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "leanformer"
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# A program of its own, for whoever works on the package: `python -m leanformer.render.method_pages`.
OTHER_PROGRAMS = {
    "render/method_pages.py": {"--check"},
    "render/api_page.py": {"--check"},
    "cluster/connection.py": {"--head"},
    "runtime/native/shipped.py": {"--force-reinstall"},
}


def named_options(source: str) -> list[tuple[int, str]]:
    """Line and name of every option in the string constants of `source`, docstrings and f-strings included."""
    return [
        (node.lineno, name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for name in _OPTION.findall(node.value)
    ]


def real_options() -> set[str]:
    """Every option of every command, the negative ones (`--no-memory`) and the help included."""
    group = typer.main.get_command(app)
    commands = group.commands.values()  # type: ignore[attr-defined]
    assert len(commands) >= 8, "the commands were not found"
    found = {"--help"}
    for command in commands:
        for parameter in command.params:
            found.update(opt for opt in (*parameter.opts, *parameter.secondary_opts) if opt.startswith("--"))
    return found


REAL = real_options()
NAMED = [
    pytest.param(name, str(path.relative_to(PACKAGE)), id=f"{path.relative_to(PACKAGE)}:{line}{name}")
    for path in sorted(PACKAGE.rglob("*.py"))
    for line, name in named_options(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_an_option_that_is_named_is_one_that_there_is(name: str, file: str):
    assert name in REAL | OTHER_PROGRAMS.get(file, set()), f"{file} names {name}, which no command has"


def test_options_are_found_in_messages():
    source = 'raise DataError(f"{path}: no {name}", remedy=f"give --labels, or --split {name}=FILE; not a--b or ---")'
    assert named_options(source) == [(1, "--labels"), (1, "--split")]
    assert {"--split", "--data", "--no-memory", "--output"} <= REAL
    assert "--labels" not in REAL
    assert len(NAMED) > 20
