"""Running mutants: what a test that fails, passes or cannot be run makes of a result."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants import run as program
from tests.mutants.listed import Mutant
from tests.mutants.run import SECONDS, Copy, due, run

SOURCE = "def total(a, b):\n    return a + b\n"
TESTS = """from leanformer.sums import total
def test_that_notices(): assert total(2, 1) == 3
def test_that_does_not(): assert total(2, 0) == 2
def test_that_fails(): assert total(2, 1) == 5
def test_that_is_skipped():
    import pytest
    pytest.skip()
def test_that_never_ends():
    while True: pass
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree") / "root"
    package = root / "src" / "leanformer"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sums.py").write_text(SOURCE)
    (root / "test_sums.py").write_text(TESTS)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def copy(tree: Path) -> Iterator[Copy]:
    with Copy(tree.parent / "copy", tree) as copy:
        yield copy


def mutant(test: str) -> Mutant:
    return Mutant("data.minus", "sums.py", "a + b", "a - b", "a wrong total", (f"test_sums.py::{test}",))


def test_a_mistake_is_noticed_or_not_and_the_sources_stay(tree: Path, copy: Copy):
    assert copy.notices(mutant("test_that_notices")) == "test_sums.py::test_that_notices"
    assert copy.notices(mutant("test_that_does_not")) is None
    # The run after a mistake has the sources as they are.
    assert copy.failing(["test_sums.py::test_that_notices"]) is None
    for root in (tree, copy.root):
        assert (root / "src" / "leanformer" / "sums.py").read_text() == SOURCE


def test_what_never_ends_is_ended_and_noticed(copy: Copy):
    assert copy.failing(["test_sums.py::test_that_never_ends"], seconds=1) == "no end within 1 s"


def test_tests_that_cannot_tell_are_an_error(copy: Copy, tmp_path: Path):
    with pytest.raises(RuntimeError, match="no test ran"):
        copy.notices(mutant("test_that_is_skipped"))
    with pytest.raises(RuntimeError, match="pytest ended with 4"):
        copy.notices(mutant("test_that_is_not_there"))
    with pytest.raises(RuntimeError, match="test_that_fails fails without a mistake too"):
        run([mutant("test_that_fails")], copy, tmp_path / "result.json", lambda line: None)
    assert not (tmp_path / "result.json").exists()


class Pretending(Copy):
    """No tests are run; a mistake is noticed where its test says so."""

    def __init__(self) -> None:
        self.root = Path()

    def notices(self, mutant: Mutant) -> str | None:
        return mutant.tests[0] if "notices" in mutant.tests[0] else None

    def failing(self, tests: object, *, own_cache: bool = False, seconds: float = SECONDS) -> None:
        return None


def test_results_are_stored_as_they_come_and_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mutants = [replace(mutant("test_that_notices"), id="data.b"), replace(mutant("test_that_does_not"), id="data.a")]
    result, pretending = tmp_path / "result.json", Pretending()
    monkeypatch.setattr(program, "fingerprint", lambda entry, root=None: f"of {entry.id}")
    assert run(mutants, pretending, result, lambda line: None) == ["data.a"]
    rows = json.loads(result.read_text())
    assert [(row["id"], row["noticed"]) for row in rows] == [("data.a", False), ("data.b", True)]
    assert all(row["commit"] for row in rows) and rows[1]["by"] == "test_sums.py::test_that_notices"
    assert due(mutants, result) == []
    monkeypatch.setattr(program, "fingerprint", lambda entry, root=None: "of a changed source")
    assert due(mutants, result) == mutants


def test_a_result_is_of_an_entry_its_source_and_its_tests(tmp_path: Path):
    (tmp_path / "src" / "leanformer").mkdir(parents=True)
    (source := tmp_path / "src" / "leanformer" / "sums.py").write_text(SOURCE)
    (tests := tmp_path / "test_sums.py").write_text(TESTS)
    entry = mutant("test_that_notices")
    first = program.fingerprint(entry, tmp_path)
    assert program.fingerprint(replace(entry, new="a * b"), tmp_path) != first
    tests.write_text(TESTS + "\n")
    second = program.fingerprint(entry, tmp_path)
    source.write_text(SOURCE + "\n")
    assert len({first, second, program.fingerprint(entry, tmp_path)}) == 3
