"""What is stored beside figures: sources that change with the code alone, and a load that leaves the program out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import provenance as module
from benchmarks.paths import RESULTS
from benchmarks.provenance import (
    hashes,
    here,
    processor_seconds,
    provenance,
    record_of,
    recorded,
    sources,
    under,
    watch,
)


def tree(root: Path, **changes: str) -> Path:
    files = {
        "src/leanformer/runtime/a.py": "A = 1\n", "src/leanformer/runtime/native/a.cpp": "int a;\n",
        "src/leanformer/runtime/notes.md": "notes\n", "src/leanformer/task.py": "B = 1\n",
        "src/leanformer/serve/a.py": "C = 1\n",
    }  # fmt: skip
    for name, text in {**files, **changes}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_hashes_are_of_the_code_of_parts(tmp_path: Path):
    before = hashes(tree(tmp_path))
    engine = ["src/leanformer/runtime/a.py", "src/leanformer/runtime/native/a.cpp"]
    assert [name for name in before if under(name, "engine")] == engine
    assert [*before] == [*engine, "src/leanformer/serve/a.py"]
    assert (
        hashes(tree(tmp_path, **{"src/leanformer/runtime/notes.md": "others", engine[0]: "# Why\nA = 1\n"})) == before
    )
    for name, text in ((engine[0], "A = 2\n"), (engine[1], "int b;\n")):
        after = hashes(tree(tmp_path, **{name: text}))
        assert [path for path in before if before[path] != after[path]] == [name]
        tree(tmp_path)


@pytest.mark.slow
def test_every_part_exists():
    for part, places in module.PARTS.items():
        for place in places:
            assert any(path == place or path.startswith(f"{place}/") for path in here()), (part, place)


LOADED = """
from benchmarks.provenance import here, sources
before = set(sources())
import leanformer.runtime.predictor
assert "src/leanformer/runtime/predictor.py" in set(sources()) - before and set(sources()) < set(here())
print(*sources(), sep="\\n")
"""


@pytest.mark.slow
def test_sources_are_those_that_are_loaded():
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=module.ROOT, capture_output=True, text=True, check=True)
    found = done.stdout.split()
    assert any(name.endswith(".cpp") for name in found)
    assert not [name for name in found if name.startswith("src/leanformer/search/")]


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="the system does not count")
def test_what_a_child_needs_is_our_own():
    before = processor_seconds()
    burn = "import time; start = time.process_time()\nwhile time.process_time() - start < 0.3: pass\nprint(flush=True)"
    with subprocess.Popen([sys.executable, "-c", f"{burn}\ninput()"], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        assert processor_seconds() - before >= 0.25, "while it lives"
        child.stdin.write("\n")
    assert processor_seconds() - before >= 0.25, "when it has ended"


def test_a_result_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    about = provenance(2)
    assert about["commit"] and about["machine"]["threads"] == 2
    assert recorded(about["sources"], tmp_path) == sources()
    assert "machine" not in provenance() and {"busy", "taken_share", "load_average"} <= set(about["load"])
    assert provenance(since=watch())["load"]["seconds"] < about["load"]["seconds"]
    json.dumps(about)


def test_a_part_can_be_told_whole():
    training = {name for name in here() if under(name, "training")}
    assert training <= set(sources(["training"])) and len(training) > 100
    assert provenance(whole=["training"])["sources"] == record_of(sources(["training"]), module.RESULTS)


def test_records_that_no_result_names_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    names = [record_of({"a.py": value}, tmp_path) for value in ("1", "2", "2")]
    assert names[0] != names[1] == names[2] and recorded(names[0], tmp_path) == {"a.py": "1"}
    (tmp_path / "table.json").write_text(json.dumps({"cells": [{"commit": "a", "sources": names[0]}, {"commit": "b"}]}))
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["provenance"])
    module.main()
    assert [path.stem for path in (tmp_path / "sources").iterdir()] == [names[0]]
    assert names[1] in capsys.readouterr().out


def test_every_result_of_the_project_names_a_record_that_is_there():
    paths = [path for path in RESULTS.rglob("*.json") if path.parent.name != module.SOURCES]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    named = {part["sources"] for result in results for part in module.each_with_commit(result) if "sources" in part}
    assert named == {path.stem for path in (RESULTS / module.SOURCES).glob("*.json")} != set()


# They write cells, which have their own (`xtremedistil/cell_store.py`), or pages.
WITHOUT = {
    "trials.py", "xtremedistil/taggers.py", "xtremedistil/text_students.py", "students/long.py", "students/starts.py",
    "students/copies.py", "training/few_labels.py", "training/adapters.py", "training/teacher_answers.py",
    "training/memory.py", "atlas/sequences.py", "atlas/tuning.py", "atlas/sparsity.py",
    "pages/runtime_picture.py",
}  # fmt: skip


def test_every_program_that_writes_a_result_tells_where_it_is_from():
    folder = module.ROOT / "benchmarks"
    texts = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    writing = {
        name for name, text in texts.items() if "RESULTS" in text and ("write_json(" in text or ".write_text(" in text)
    }
    assert {name for name in writing if "provenance" not in texts[name]} - WITHOUT == set()
    assert "**provenance(" in texts["xtremedistil/cell_store.py"] and len(writing) > 20
