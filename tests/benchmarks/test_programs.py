"""Every program of benchmarks/ can be run, and what README and docs name of it exists."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.paths import ROOT, WORK

# Of the packages that a program needs, these are in none of our extras.
NOT_OURS = {"fastapi", "pydantic"}
# Results of these are for those who work on the project, or need a folder that only the person who runs them can name.
BY_HAND = {
    "benchmarks.house", "benchmarks.serve.clients", "benchmarks.serve.fronts", "benchmarks.serve.profile",
}  # fmt: skip
FILES = sorted(path for path in (ROOT / "benchmarks").rglob("*.py") if WORK not in path.parents)
PROGRAMS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES if path.name != "__init__.py"
}
MODULES = list(PROGRAMS)
TEXTS = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile", *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "recipes").rglob("*.yaml")),
]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_a_program_says_what_it_does(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in NOT_OURS:
            raise
        pytest.skip(f"{error.name} is not installed")
    assert module.__doc__
    if not hasattr(module, "main"):
        return
    monkeypatch.setattr(sys, "argv", [str(module.__file__), "--help"])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 0 and "usage:" in capsys.readouterr().out


def test_what_the_texts_name_exists():
    missing = []
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        modules = [name.replace(".", "/") + ".py" for name in re.findall(r"-m\s+(benchmarks(?:\.[a-z_]+)+)", text)]
        files = re.findall(r"(?<!tests/)\bbenchmarks/(?!work\b)[a-z_/-]+\.[a-z]+", text)
        missing += [(str(path.relative_to(ROOT)), name) for name in modules + files if not (ROOT / name).exists()]
    assert missing == []


def test_make_bench_runs_what_is_there():
    for _, command in run.COMMANDS:
        assert f"benchmarks.{command.split()[0]}" in MODULES
    assert len({command for _, command in run.COMMANDS}) == len(run.COMMANDS)
    for command in run.PAGES:
        assert f"benchmarks.{command.split()[0]}" in MODULES


def test_make_bench_runs_whatever_writes_results():
    run_by_us = {f"benchmarks.{command.split()[0]}" for _, command in run.COMMANDS}
    told = {name: path.read_text(encoding="utf-8") for name, path in PROGRAMS.items() if ".pages." not in name}
    programs = {name: ast.get_docstring(ast.parse(text)) or "" for name, text in told.items() if "__main__" in text}
    writes = {name for name, said in programs.items() if re.search(r"\bresults/\S", said.split("\n\n")[0])}
    assert "benchmarks.atlas.tuning" in writes
    assert writes - run_by_us - BY_HAND == set()
    assert writes >= BY_HAND, "a program that is listed here and is not there any more"


def test_the_plan_says_what_is_left():
    commands = [(30, "ladders.run a"), (90, "serve.run")]
    assert run.plan(commands, {}).splitlines()[-1] == "still to run: about 2.0 hours on two cores"
    lines = run.plan(commands, {"serve.run": 75.4}).splitlines()
    assert lines[0].split() == ["about", "30", "min", "python", "-m", "benchmarks.ladders.run", "a"]
    assert lines[1].strip().startswith("done in 75 min") and lines[2] == "still to run: about 0.5 hours on two cores"


def test_a_finished_command_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran: list[str] = []

    def fails_at_b(command: str) -> None:
        ran.append(command)
        if command == "b":
            raise RuntimeError("killed")

    monkeypatch.setattr(run, "FINISHED", tmp_path / "finished.json")
    monkeypatch.setattr(run, "COMMANDS", ((1, "a"), (1, "b")))
    monkeypatch.setattr(run, "PAGES", ())
    monkeypatch.setattr(run, "run", fails_at_b)
    monkeypatch.setattr(sys, "argv", ["run"])
    with pytest.raises(RuntimeError):
        run.main()
    monkeypatch.setattr(run, "run", ran.append)
    run.main()
    assert ran == ["a", "b", "b"]
    monkeypatch.setattr(sys, "argv", ["run", "--again", "--only", "a"])
    run.main()
    assert ran == ["a", "b", "b", "a"]
