"""Each module has a test file of its name among the tests of its room; those that have none yet are listed.

The list, `without_tests.txt`, may only shrink.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE, TESTS = ROOT / "src" / "leanformer", ROOT / "tests"
LISTED = Path(__file__).with_name("without_tests.txt").read_text(encoding="utf-8").split()
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if not path.name.startswith("__"))


def has_tests(module: str) -> bool:
    """`compress/prune/costs.py` has `test_costs.py` or `test_prune_costs.py`, somewhere in `tests/compress`."""
    *folders, name = module.split("/")
    if not folders:
        return (TESTS / f"test_{name}").is_file()
    names = {f"test_{name}", f"test_{folders[-1]}_{name}"}
    return any(path.name in names for path in (TESTS / folders[0]).rglob("test_*.py"))


def test_modules_are_found():
    assert "artifact.py" in MODULES and len(MODULES) > 300 and has_tests("artifact.py")
    assert not has_tests("compress/prune/no_such_module.py")


@pytest.mark.parametrize("module", sorted(set(MODULES) - set(LISTED)))
def test_a_module_has_its_test_file(module: str):
    *folders, name = module.split("/")
    where = "/".join(["tests", *folders, f"test_{name}"])
    assert has_tests(module), f"{module} has no test file\n  remedy: write {where}"


@pytest.mark.parametrize("module", LISTED)
def test_the_list_only_shrinks(module: str):
    assert module in MODULES, f"without_tests.txt lists {module}, which is no module (any more)\n  remedy: take it out"
    assert not has_tests(module), f"{module} has its test file now\n  remedy: take it out of without_tests.txt"


def test_the_list_is_in_order():
    assert sorted(set(LISTED)) == LISTED
