"""The list of mutants (`tests/mutants`) fits the sources, so that it cannot rot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.listed import Mutant, read

MUTANTS = read()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_an_entry_fits_its_source_and_names_tests_that_exist(mutant: Mutant):
    mutant.check()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src" / "leanformer").mkdir(parents=True)
    (tmp_path / "src" / "leanformer" / "sums.py").write_text("def total(a, b):\n    return a + b\n")
    (tmp_path / "test_sums.py").write_text("def test_a_total():\n    assert True\n")
    return tmp_path


SOUND = Mutant("data.minus", "sums.py", "a + b", "a - b", "a wrong total", ("test_sums.py::test_a_total",))


def test_an_entry_that_fits(tree: Path):
    SOUND.check(tree)
    assert SOUND.applied("def total(a, b):\n    return a + b\n") == "def total(a, b):\n    return a - b\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"old": "a * b"}, "occurs 0 times"),
        ({"old": "a"}, "occurs 3 times"),
        ({"new": "(a + b)"}, "says the same"),
        ({"tests": ("test_sums.py::test_a_product",)}, "has no test test_a_product"),
        ({"tests": ()}, "names no test"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(tree: Path, change: dict[str, object], said: str):
    with pytest.raises(ValueError, match=said):
        replace(SOUND, **change).check(tree)


ENTRY = "{id: %s, file: sums.py, old: a, new: b, why: c, tests: [d]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {id: data.minus}", "entry 1 needs exactly file, id, new, old, tests, why"),
        (f"- {ENTRY % 'train.minus'}", "does not begin with 'data'"),
        (f"- {ENTRY % 'data.minus'}\n- {ENTRY % 'data.minus'}", "used twice: data.minus"),
    ],
)
def test_a_list_that_is_not_one_is_refused(tmp_path: Path, text: str, said: str):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read(tmp_path)
