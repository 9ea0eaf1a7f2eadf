"""Habits of the house that a machine can check, read from the source without importing it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from leanformer.errors import RecipeError
from leanformer.recipe.library import recipe_names, recipe_path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "leanformer"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
FOLDERS = sorted({path.parent for path in SOURCES})
ROOMS = sorted(path.name for path in FOLDERS if path.parent == PACKAGE)
LONGEST_LINES = 300
# Wider than what is meant, and quick: only files that have it are parsed.
LOOP_OVER_ONE = re.compile(r"\bfor\s[\s(*]*(\w+\s*[,)][\s,(*)]*)*one\s*([,)]|\bin\b)|\blambda\b[^:]*\bone\b")
UNPICKLERS = ("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unsafe_uses(source: str) -> list[str]:
    """What in `source` could run code that came with a file: "line N: what" for each place."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names if name.name.partition(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] in UNPICKLERS:
                names = [module]
            elif module.partition(".")[0] == "torch":
                names = [f"torch.{name.name}" for name in node.names if name.name == "load"]
        elif isinstance(node, ast.Attribute) and node.attr == "load":
            names = ["torch.load"] if isinstance(node.value, ast.Name) and node.value.id == "torch" else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = [f"{node.func.id}()"] if node.func.id in ("eval", "exec") else []
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "trust_remote_code"):
            # Anything but a plain False: a variable may be true one day.
            off = isinstance(node.value, ast.Constant) and node.value.value is False
            names = [] if off else [node.arg]
        found += [f"line {node.lineno}: {name}" for name in names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_a_file_reads_in_one_sitting(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_LINES, f"{short(path)} has {lines} lines; split it by what its parts are about"


def loops_over_one(source: str) -> list[str]:
    """Where a loop, a comprehension or a lambda calls its variable `one`, which says nothing of what it is."""
    found = set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            names = [part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)]
            found |= {node.target.lineno} if "one" in names else set()
        elif isinstance(node, ast.Lambda):
            found |= {node.lineno} if "one" in [argument.arg for argument in node.args.args] else set()
    return [f"line {line}" for line in sorted(found)]


def is_a_drawer(stem: str) -> bool:
    """Whether a file's name says nothing of what it holds, so that anything will end up in it."""
    stem = stem.removeprefix("test_")
    return stem in ("utils", "util", "helpers", "helper", "common", "misc") or stem.endswith(
        ("_v2", "_v3", "_new", "_old", "_util", "_utils", "_helpers", "_common", "_misc")
    )


@pytest.mark.parametrize("path", PROGRAMS, ids=short)
def test_a_file_is_named_after_what_it_holds(path: Path):
    assert not is_a_drawer(path.stem)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [("util", True), ("test_helpers", True), ("encoder_v2", True), ("comparing", False), ("test_misclassified", False)],
)
def test_a_drawer_would_be_seen(stem: str, expected: bool):
    assert is_a_drawer(stem) is expected


def test_a_loop_variable_is_named_after_what_it_loops_over():
    texts = {short(path): path.read_text(encoding="utf-8") for path in PROGRAMS}
    candidates = {name: text for name, text in texts.items() if LOOP_OVER_ONE.search(text)}
    assert {name: lines for name, text in candidates.items() if (lines := loops_over_one(text))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "for one in rows:\n    pass",
        "for i, (one, other) in enumerate(pairs):\n    pass",
        "async def f():\n    async for one in rows:\n        pass",
        "[one.name for one in rows]",
        "{name: one for name,\none in rows.items()}",
        "[one for (name, place), one in rows]",
        "sorted(rows, key=lambda one: one.name)",
    ],
)
def test_a_loop_over_one_would_be_seen(source: str):
    assert LOOP_OVER_ONE.search(source) and loops_over_one(source)


@pytest.mark.parametrize("source", ["one = first(rows)", "def same(one, other):\n    return one == other",
                                    "for row in rows:\n    total += row * one"])  # fmt: skip
def test_another_name_that_is_one_is_left_alone(source: str):
    assert not loops_over_one(source)


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_nothing_is_unpickled_and_no_foreign_code_is_run(path: Path):
    assert unsafe_uses(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=short)
def test_a_package_says_what_it_is(folder: Path):
    page = folder / "__init__.py"
    assert page.is_file(), f"{short(folder)} has modules but no __init__.py"
    assert ast.get_docstring(ast.parse(page.read_text(encoding="utf-8"))), f"{short(page)} has no docstring"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_its_tests(room: str):
    tests = ROOT / "tests" / room
    assert list(tests.rglob("test_*.py")), f"src/leanformer/{room} has no tests in tests/{room}"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load(path)",
        "from torch import load",
        "numpy.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=flag)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "eval(text)",
    ],
)
def test_an_unsafe_use_would_be_seen(source: str):
    assert unsafe_uses(source)


@pytest.mark.parametrize("source", ["model.eval()", "numpy.load(path, allow_pickle=False)", "json.load(handle)"])
def test_a_safe_use_is_left_alone(source: str):
    assert not unsafe_uses(source)


def test_every_recipe_of_the_checkout_is_found_by_name():
    files = sorted((ROOT / "recipes").glob("*.yaml"), key=lambda path: path.stem)
    assert files, "recipes/ is empty"
    assert [recipe_path(name) for name in recipe_names()] == files


@pytest.mark.parametrize("name", ["no-such-recipe", "../pyproject", ""])
def test_an_unknown_recipe_lists_the_names(name: str):
    with pytest.raises(RecipeError) as caught:
        recipe_path(name)
    assert all(known in str(caught.value) for known in recipe_names())
