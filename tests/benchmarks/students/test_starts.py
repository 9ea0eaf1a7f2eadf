"""The table of starts on tiny data: everything is made once, test is read for the chosen students, nothing leaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.students import starts
from benchmarks.students.starts import FIRST, STARTS, Sizes, Table, compared, without
from benchmarks.xtremedistil import cell_store
from tests.making.commands import write_lines
from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset, tiny_texts

SIZES = Sizes({"tiny": (60, 1)}, dev=30, rates=(1e-3, 1e-9), shape="1x32", student_steps=4, start_steps=3)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    data = tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / "tiny" / f"{split}.jsonl", rows)
    assert data.test is not None
    raw = [*tiny_texts(80, seed=9)[0], data.test.texts[3], data.test.texts[5].upper()]
    (tmp_path / "data" / "raw").mkdir()
    (tmp_path / "data" / "raw" / "a.txt").write_text("\n".join(raw), encoding="utf-8")
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(starts, "RAW_TEXTS", ("raw/a.txt",))
    monkeypatch.setattr(starts, "allowed_cores", lambda: 1)
    monkeypatch.setattr(cell_store, "_module", lambda: "benchmarks.students.starts")
    monkeypatch.setattr(cell_store, "provenance", lambda threads, since: {})  # it looks at the whole machine
    monkeypatch.setattr(cell_store, "watch", lambda: None)
    encoder = tiny_artifact(tmp_path / "encoder").path
    return Table(str(encoder), tmp_path / "work", None, SIZES)


def test_every_start_has_its_row_and_nothing_is_made_twice(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [FIRST, "layers of the teacher", "random, then relations"]
    monkeypatch.setattr(starts, "STARTS", {name: STARTS[name] for name in few})
    rows = table.rows("tiny", [13])
    assert [row["start"] for row in rows] == few and "gain" not in rows[0]
    assert all(row["rate"] == 1e-3 and row["n"] == 60 and row["low"] <= row["gain"] <= row["high"] for row in rows[1:])
    assert {row["optimiser_steps"] for row in rows} == {4}
    cells = table.cells.all()
    kinds = [cell["settings"]["kind"] for cell in cells]
    count = len(few)
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "corpus": 1, "start": count - 1, "student": 2 * count, "test": count, "teacher": 1,
    }  # fmt: skip
    [corpus] = [cell for cell in cells if cell["settings"]["kind"] == "corpus"]
    assert corpus["left_out"] >= 2 and corpus["raw_texts"] + corpus["left_out"] <= 82
    assert str(table.work.parent) not in json.dumps(cells), "no path of a machine"

    def refused(*arguments: Any, **options: Any) -> None:
        raise AssertionError("made twice")

    for name in ("pretrain", "right"):
        monkeypatch.setattr(starts, name, refused)
    assert table.rows("tiny", [13]) == rows


def test_pre_trained_starts_differ_from_others(table: Table) -> None:
    made = {name: table.start(name, 13)[0] for name in STARTS}
    assert made.pop("layers of the teacher") is None
    assert len({artifact.content_hash for artifact in made.values() if artifact is not None}) == len(STARTS) - 1


def test_raw_texts_that_stand_in_dev_or_test_are_left_out() -> None:
    judged = ["The quick brown fox jumps over the lazy dog near the river.", "short"]
    raw = [
        "Another text altogether, about ships.",
        "the quick brown fox jumps over the lazy dog near the river",
        "SHORT",
    ]
    assert without(raw, judged) == raw[:1]


def test_a_leak_that_is_left_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "near_repeats", lambda texts, judged: [False] * len(texts))
    with pytest.raises(ValueError, match="stand among those that models are judged on"):
        without(["one text of some length"], ["One text of some length"])


def test_the_gain_is_over_the_encoders_own_layers_text_by_text() -> None:
    first = [{"right": "1000"}, {"right": "1100"}]
    assert FIRST == "layers of the encoder" and compared(first, first) == {"n": 4}
    row = compared([{"right": "1110"}, {"right": "1111"}], first)
    assert row["gain"] == 50.0 and 0 <= row["low"] < 50 < row["high"] <= 100
