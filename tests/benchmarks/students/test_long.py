"""The benchmark of long texts, on texts and a model that take no time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.students import long as module
from benchmarks.students.long import ARMS, BEST, Arm, Long, measure, summary
from benchmarks.xtremedistil.cell_store import Cells
from tests.e2e.test_long_texts import TOKENS, document
from tests.making.taught import write_splits
from tests.making.tiny import tiny_artifact


def cell(arm: str, seed: int, right: str) -> dict[str, Any]:
    told = {"set": "tiny", "arm": arm, "seed": seed}
    share = 100 * right.count("1") / len(right)
    return {"settings": told, "right": right, "dev": share, "test": share, "cpu_seconds": 2.0}


def test_the_gain_is_text_by_text_over_the_seeds_that_both_have() -> None:
    rows = summary([
        cell("cut at 128", 1, "1000"), cell("cut at 128", 2, "1100"), cell(BEST, 1, "1110"), cell(BEST, 2, "1111"),
        cell(BEST, 3, "0000"), cell("cut at 512", 4, "1111"),
    ])  # fmt: skip
    cut, other, best = rows
    assert (cut["arm"], cut["test"], cut["apart"]) == ("cut at 128", 37.5, 50.0)
    assert 0 <= cut["low"] < 50 < cut["high"] <= 100
    assert best["arm"] == BEST and best["seeds"] == [1, 2, 3] and "apart" not in best
    assert "apart" not in other, "no seed is shared"


@pytest.mark.slow
def test_a_small_run_is_made_and_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RATE", 3e-3)
    monkeypatch.setattr(module, "allowed_cores", lambda: 1)
    monkeypatch.setattr(module, "ARMS", {
        name: replace(arm, max_tokens=arm.max_tokens and TOKENS, layers=arm.layers and 1) for name, arm in ARMS.items()
    })  # fmt: skip
    monkeypatch.setattr("benchmarks.xtremedistil.cell_store._module", lambda: "benchmarks.students.long")
    data = write_splits(tmp_path / "data", document, {"train": 120, "dev": 30, "test": 40})
    tiny_artifact(tmp_path / "start")
    long, result = Long(data, str(tmp_path / "start"), tmp_path / "work", epochs=3), tmp_path / "long.json"
    names = ["linear on n-grams", "cut at 128", BEST, "student, windows of 128"]
    for _ in range(2):
        cells = Cells(tmp_path / "cells", 1, result)
        measure(names, [13], [long], result, cells)
        monkeypatch.setattr(Long, "_made", lambda *_: pytest.fail("it is found, not made again"))
    found = json.loads(result.read_text(encoding="utf-8"))
    assert [row["arm"] for row in found["summary"]] == [name for name in ARMS if name in names]
    rows = {row["arm"]: row for row in found["summary"]}
    assert rows[BEST]["test"] > 60 and rows["student, windows of 128"]["test"] > 40
    assert rows["cut at 128"]["apart"] == pytest.approx(rows[BEST]["test"] - rows["cut at 128"]["test"], abs=0.02)
    assert rows["cut at 128"]["apart"] > 20 and "cut, read whole" in rows["cut at 128"]
    assert all(len(each["right"]) == 40 for each in found["cells"])
    assert np.mean([int(hit) for hit in found["cells"][0]["right"]]) <= 1


def test_every_reading_is_an_arm() -> None:
    assert ARMS["cut at 128"] == Arm(128) and ARMS[BEST].long == "windows"
