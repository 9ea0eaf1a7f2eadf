"""What is stored beside figures: sources that change with the code alone, and a load that leaves the program out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import provenance as module
from benchmarks.provenance import files_here, hashes, processor_seconds, provenance, sources, watch

SOURCE = "def answer():\n    return 42\n"


def test_hashes_are_of_the_parts():
    files = {
        "src/leanformer/runtime/a.py": lambda: SOURCE,
        "src/leanformer/runtime/native/a.cpp": lambda: "// Why\nint a;\n",
        "src/leanformer/runtime/notes.md": lambda: "notes",
        "src/leanformer/serve/a.py": lambda: SOURCE,
    }
    before = hashes(files)
    assert hashes({**files, "src/leanformer/runtime/notes.md": lambda: "other notes"}) == before
    for path, text in (("src/leanformer/runtime/a.py", "a = 1\n"), ("src/leanformer/runtime/native/a.cpp", "int b;\n")):
        after = hashes({**files, path: lambda text=text: text})
        assert [name for name in before if before[name] != after[name]] == ["engine"]


def test_every_part_exists():
    empty = hashes({})
    assert all(sources()[part] != empty[part] for part in module.PARTS)
    here = files_here()
    for place in (place for places in module.PARTS.values() for place in places):
        assert any(path == place or path.startswith(f"{place}/") for path in here), place


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


def test_a_result_gets_all_of_it():
    about = provenance(2)
    assert about["commit"] and about["machine"]["threads"] == 2 and about["sources"] == sources()
    assert "machine" not in provenance() and {"busy", "taken_share", "load_average"} <= set(about["load"])
    assert provenance(since=watch())["load"]["seconds"] < about["load"]["seconds"]
    json.dumps(about)


def test_sources_are_told_anew_where_their_commit_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    told = [("a", "old"), ("b+", "old"), ("a", "1")]
    cells = [{"commit": name, "sources": {"engine": engine}} for name, engine in told] + [{"commit": "a"}, {}]
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "table.json").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "sources_at", lambda name: {"engine": "1"} if name == "a" else None)
    monkeypatch.setattr(sys, "argv", ["provenance"])
    module.main()
    found = json.loads((tmp_path / "some" / "table.json").read_text(encoding="utf-8"))["cells"]
    assert [cell.get("sources", {}).get("engine") for cell in found] == ["1", "old", "1", None, None]
    said = capsys.readouterr().out
    assert "sources of 1 told anew" in said and "b+: not a commit" in said


def test_an_unfinished_commit_has_no_sources():
    assert module.sources_at("0123456789ab+") is None


# They write cells, which have their own (`xtremedistil/cell_store.py`), or pages.
WITHOUT = {"xtremedistil/taggers.py", "xtremedistil/text_students.py", "pages/runtime_picture.py"}


def test_every_program_that_writes_a_result_tells_where_it_is_from():
    folder = module.ROOT / "benchmarks"
    texts = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    writing = {
        name for name, text in texts.items() if "RESULTS" in text and ("write_json(" in text or ".write_text(" in text)
    }
    assert {name for name in writing if "provenance" not in texts[name]} - WITHOUT == set()
    assert "**provenance(" in texts["xtremedistil/cell_store.py"] and len(writing) > 20
