"""The students that ship, on tiny data: int8 on the engine, made once, beside their teacher."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.students import copies, summary
from benchmarks.students.copies import Sizes, Table
from benchmarks.xtremedistil import cell_store
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.measure.speed import SpeedSettings
from tests.making.tiny import tiny_artifact, tiny_dataset


@pytest.mark.slow
def test_the_way_that_is_best_on_dev_is_shipped_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (copies, summary):
        monkeypatch.setattr(module, "open_named", lambda name: tiny_dataset())
    monkeypatch.setattr(copies, "allowed_cores", lambda: 1)
    monkeypatch.setattr(cell_store, "_module", lambda: "benchmarks.students.copies")
    for module in (cell_store, summary):
        monkeypatch.setattr(module, "provenance", lambda threads, since: {})  # it looks at the whole machine
    monkeypatch.setattr(summary, "COPIES", tmp_path / "copies.json")
    tiny_artifact(tmp_path / "tiny" / "teacher")
    with pytest.raises(LeanformerError, match=r"no students of tiny\n.*remedy: python -m benchmarks\.students\.copies"):
        summary.chosen("tiny")
    ways = {"teacher's answers": 90.0, "copies": 91.0, "linear on n-grams": 99.0}
    rows = [{"set": "tiny", "way": way, "dev": dev, "rate": 1e-3, "seeds": [13, 14]} for way, dev in ways.items()]
    write_json(tmp_path / "copies.json", {"summary": rows})
    table = Table(tmp_path / "work", tmp_path, None, Sizes({"tiny": 8}, layers=1))
    made = summary.row(table, "tiny", SpeedSettings(rounds=1, latency_texts=4, seconds=0.05))
    assert made["way"] == "copies" and made["seeds"] == [13, 14] and made["n"] == 60
    assert made["lost_low"] <= made["lost"] <= made["lost_high"] and made["speedup"] > 0 < made["bytes"]
    folders = {path.name for path in (table.work / "students").iterdir()}
    assert len(folders) == 6 and sum(name.endswith("-int8") for name in folders) == 2
    monkeypatch.setattr(summary.Int8, "__call__", None)
    again = summary.shipped(table, "tiny", "copies", 1e-3, 13, tiny_dataset())
    assert again.properties["precision"].startswith("int8") and not any((table.work / "running").iterdir())
