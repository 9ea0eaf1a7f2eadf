"""The table of copies on tiny data: every way at equal steps, nothing made twice, test read for the chosen alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.students import copies
from benchmarks.students.copies import BESIDE, FIRST, WAYS, Sizes, Table
from benchmarks.xtremedistil import cell_store
from leanformer.errors import LeanformerError
from tests.making.tiny import tiny_artifact, tiny_dataset


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(copies, "open_named", lambda name: tiny_dataset())
    monkeypatch.setattr(copies, "allowed_cores", lambda: 1)
    monkeypatch.setattr(cell_store, "_module", lambda: "benchmarks.students.copies")
    monkeypatch.setattr(cell_store, "provenance", lambda threads, since: {})  # it looks at the whole machine
    monkeypatch.setattr(cell_store, "watch", lambda: None)
    tiny_artifact(tmp_path / "tiny" / "teacher")
    return Table(tmp_path / "work", tmp_path, None, Sizes({"tiny": 34}, rates=(1e-3, 1e-9), layers=1))


@pytest.mark.slow
def test_every_way_has_its_row_and_nothing_is_made_twice(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table.rows("tiny", [13])
    assert [row["way"] for row in rows] == [*WAYS, *BESIDE] and rows[0]["way"] == FIRST
    assert all(row["n"] == 60 and row["n_clean"] <= 60 for row in rows) and "gain" not in rows[0]
    assert [row["way"] for row in rows if "gain_longer" in row] == [row["way"] for row in rows[2:]]
    # 120 texts in steps of 32; of a text and its eight copies once.
    assert {row["way"]: row["epochs"] for row in rows if "epochs" in row} == {
        "teacher's answers": 9, "teacher's answers, longer": 12, "labels alone": 9, "copies": 1,
        "copies of random words": 1,
    }  # fmt: skip
    kinds = [cell["settings"]["kind"] for cell in table.cells.all()]
    assert (kinds.count("student"), kinds.count("test"), kinds.count("beside")) == (10, 5, 3)
    assert not any((table.work / "running").iterdir())

    def refused(*arguments: Any, **options: Any) -> None:
        raise AssertionError("made twice")

    monkeypatch.setattr(copies.Distil, "__call__", refused)
    assert table.rows("tiny", [13]) == rows


def test_a_missing_teacher_is_told(table: Table) -> None:
    with pytest.raises(LeanformerError, match=r"(?s)there is no teacher.*benchmarks\.ladders\.run sst2"):
        table.teacher("sst2")
