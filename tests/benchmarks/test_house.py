"""What is counted of the code: comparisons with a form or a format, options, names and circles."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import house
from benchmarks.house import (
    FORMATS,
    FORMS,
    SMALL_TECHNIQUES,
    circles,
    compared,
    composition,
    demo_times,
    fields_of,
    growth,
    hashes_compared,
    imports,
    named,
)
from leanformer.answers.forms import FORMS as ANSWERS
from leanformer.formats import FORMATS as ALL_FORMATS

CODE = """
# task.answer == "score" in a comment
if task.answer == "score" or task.answer in ("label", "tags"):
    text = 'task.answer == "score"'
elif "labels" != answer and artifact.format == "onnx":
    for one in [one for one in ones]:
        pass
match format:
    case "bilstm":
        pass
"""


def test_comparisons_are_counted_by_line_and_not_in_comments() -> None:
    tree = ast.parse(CODE)
    assert compared(tree, "answer", FORMS) == [3, 5]
    assert compared(tree, "format", FORMATS) == [5, 9]
    assert named(tree, "one") == 3 and named(tree, "ones") == 1


def test_options_are_the_fields_of_the_class_itself() -> None:
    tree = ast.parse(
        "class Distil:\n    kind: ClassVar[str] = 'x'\n    hard: float = 0.0\n    def run(self): y: int = 1\n"
    )
    assert fields_of({"a.py": tree}, "Distil") == ["hard"] and fields_of({"a.py": tree}, "Prune") == []


def test_circles_are_found_also_within_functions() -> None:
    trees = {
        "a/__init__.py": ast.parse(""),
        "a/one.py": ast.parse("from leanformer.a.two import x"),
        "a/two.py": ast.parse("def f():\n    from leanformer.a import one"),
        "b.py": ast.parse("if TYPE_CHECKING:\n    import leanformer.c"),
        "c.py": ast.parse("import leanformer.b"),
    }
    assert circles(imports(trees, late=False)) == []
    assert circles(imports(trees, late=True)) == [["a/one.py", "a/two.py"]]


def test_forms_and_formats_are_those_there_are() -> None:
    assert set(ANSWERS) <= FORMS and set(ALL_FORMATS) == FORMATS


def test_lines_are_told_apart_by_what_they_are() -> None:
    source = '"""What.\n\nHow.\n"""\n\n# why\ndef f():\n    """Which."""\n    return """\n\n    # text\n"""  # that\n'
    assert composition(source) == {"docstrings": 5, "blank": 2, "comments": 2, "code": 3}


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three commits: two modules; one is moved and shorter, with a technique; the technique grows, with a new room."""
    source, commits = tmp_path / "src" / "leanformer", list[str]()
    monkeypatch.setattr(house, "ROOT", tmp_path)

    def git(*arguments: str) -> str:
        name = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(["git", *name, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(files: dict[str, int]) -> None:
        for path, lines in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text("".join(f"{Path(path).stem}_{line} = {line}\n" for line in range(lines)))
        git("add", "-A")
        git("commit", "-qm", "a commit")
        commits.append(git("rev-parse", "HEAD"))

    git("init", "-q")
    commit({"data/rows.py": 20, "loading.py": 5})
    (source / "data" / "reading").mkdir()
    (source / "data" / "rows.py").rename(source / "data" / "reading" / "rows.py")
    commit({"data/reading/rows.py": 18, "train/hooks/averaging.py": 7})
    commit({"train/hooks/averaging.py": 9, "curate/minhash.py": 30, "scaling.py": 4})
    return commits


def test_growth_is_told_by_cause(history: list[str]) -> None:
    told = growth(*history)
    first, second = told["protocols_and_moves"], told["further_capabilities"]
    assert (first["commits"], first["lines"], first["new_files"]) == (1, 5, 1)
    assert first["lines_in_new_files_by_room"] == {"train": 7} and first["lines_in_other_files"] == -2
    assert first["small_techniques"] == dict.fromkeys(SMALL_TECHNIQUES, 0) | {"moving average": 7}
    assert second["lines_in_new_files_by_room"] == {"curate": 30, "the package itself": 4}
    assert (second["lines"], second["lines_in_other_files"]) == (36, 2)
    assert told["small_techniques"]["moving average"] == 7, "as it was added"
    assert told["lines_by_what_they_are"] == {"before": {"code": 25}, "between": {"code": 30}, "after": {"code": 66}}


def test_times_of_the_demo_are_those_of_its_own_file(tmp_path: Path) -> None:
    run = {"seed": 13, "held_to": "avx2", "seconds": 9.5, "student_wins": True, "rungs": []}
    (tmp_path / "demo.json").write_text(json.dumps({"machine": {"cpu": "A", "cores": 2}, "runs": [run]}))
    assert demo_times(tmp_path / "demo.json") == {
        "machine": "A, 2 cores",
        "runs": [{"seed": 13, "held_to": "avx2", "seconds": 9.5, "student_wins": True}],
    }


def test_hashes_that_differ_or_are_missing_are_named(tmp_path: Path) -> None:
    old = {"hashes": {"teacher of a": "1", "quick: int8": "2", "pair: fp32": "3"}, "cache_keys": {"quick: int8": "k"}}
    new = {"hashes": {"teacher of a": "1", "quick: int8": "9", "more: x": "4"}, "cache_keys": {"quick: int8": "k"}}
    for name, value in (("a.json", old), ("b.json", new)):
        (tmp_path / name).write_text(json.dumps(value))
    told = hashes_compared(tmp_path / "a.json", tmp_path / "b.json")
    assert told["recipes"] == ["pair", "quick"]
    assert told["hashes"] == 4 and told["hashes_that_differ"] == ["more: x", "pair: fp32", "quick: int8"]
    assert told["cache_keys"] == 1 and told["cache_keys_that_differ"] == []
