"""The bench: cells are made once, and the table is that of all cells."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.atlas import sequences
from benchmarks.atlas.entries import read_atlas
from benchmarks.atlas.sequences import main, table
from benchmarks.pages import atlas as pages
from benchmarks.paths import ROOT

TECHNIQUES = [technique for technique in read_atlas().bench("sequences") if technique.code]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of two quick runs, the second of which makes nothing."""
    folder: Path = tmp_path_factory.mktemp("atlas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "WORK", folder)
        patch.setattr(sys, "argv", [str(ROOT / "benchmarks" / "atlas" / "sequences.py"), "--quick"])
        main(["--quick", "--only", "longformer"])
        patch.setattr(sequences, "trained", None)
        patch.setattr(sequences, "timed", None)
        main(["--quick", "--only", "longformer"])
    return folder / "atlas" / "quick" / "quick.json"


def test_a_second_run_finds_its_cells(quick: Path):
    result = json.loads(quick.read_text(encoding="utf-8"))
    assert [(row["technique"], row["set"]) for row in result["rows"]] == [
        ("Softmax attention", "nested lists"), ("Longformer", "nested lists"),
    ]  # fmt: skip
    row = result["rows"][1]
    assert row["verdict"] == "no difference shown" and row["seeds"] == [13] and row["n"] == 12
    assert row["seed_rows"] == [27] and [line["tokens"] for line in row["times"]] == [16]
    assert len(result["cells"]) == 4 and not (ROOT / "benchmarks/results/atlas/quick.json").exists()


def cell(kind: str, right: str, seed: int = 13) -> dict[str, object]:
    made = {"right": right, "train_cpu_seconds": 2.0, "parameters": 10, "ffn": 4, "flops": 5, "tokens": 6}
    return {"settings": {"part": "quality", "kind": kind, "set": "a", "seed": seed}, **made}


def test_the_table_compares_with_the_control():
    times = {"settings": {"part": "times", "kind": "nystrom"}, "times": [{"tokens": 128, "ms": 2.0, "peak_mb": 3.0}]}
    cells = [cell("softmax", "1100" * 20), cell("performer", "1111" * 20), cell("rfa", "0000" * 20, seed=14), times]
    rows = {row["technique"]: row for row in table(TECHNIQUES, cells)}
    assert list(rows) == ["Softmax attention", "Performer", "Nystromformer"], "rfa has no seed of the control's"
    assert (rows["Performer"]["difference"], rows["Performer"]["verdict"]) == (50, "better")
    assert rows["Softmax attention"]["verdict"] is None and rows["Nystromformer"]["set"] is None
    assert rows["Nystromformer"]["infer_ms"] == 2.0


def test_pages_show_what_is_measured_and_what_is_not(tmp_path: Path, quick: Path):
    atlas = read_atlas()
    (tmp_path / "atlas").mkdir()
    (tmp_path / "atlas" / "sequences.json").write_text(quick.read_text(encoding="utf-8"))
    rows = json.loads(quick.read_text(encoding="utf-8"))["rows"]
    (line,) = [line for line in pages._quality(TECHNIQUES, rows) if line[0] == "Longformer"]
    assert line[:2] == ("Longformer", "nested lists") and "no difference shown" in line
    assert pages._quality(TECHNIQUES, [])[1][1] == "not measured" == pages._times(TECHNIQUES, [])[1][1]
    coverage = pages.coverage_page(atlas, tmp_path)
    assert "| measured as reference | 1 |" in coverage and coverage.index("| state |") < coverage.index("| row |")


def test_a_row_says_which_of_its_techniques_are_not_measured():
    atlas = read_atlas()
    (row,) = [row for row in atlas.rows if row.row == 96]
    some = pages._where(row, atlas, {"Prefixes", "Soft prompts"})
    assert some == "[Prefixes](atlas.md), [Soft prompts](atlas.md), [P-tuning](atlas.md) (not measured)"
    assert "not measured" not in pages._where(row, atlas, set()), "which the state says already"


def test_the_pages_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for path, text in pages.pages(read_atlas()).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python -m benchmarks.pages.atlas"
    monkeypatch.setattr(sys, "argv", ["atlas", "--check"])
    assert pages.main() == 0
    monkeypatch.setattr(pages, "pages", lambda _: {tmp_path / "atlas.md": "other"})
    assert pages.main() == 1
