"""The table of few labels: its draws and its summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.training import few_labels
from benchmarks.training.few_labels import AUTO, FROZEN, NOTHING, few, summary
from tests.making.tiny import tiny_dataset


def test_draws_contain_one_another_and_have_no_dev():
    data = tiny_dataset()
    small, large = few(data, 2, draw=1), few(data, 5, draw=1)
    assert small.train is not None and large.train is not None and small.dev is None and small.test == data.test
    assert np.bincount(small.train.targets).tolist() == [2, 2, 2]
    assert set(small.train.texts) <= set(large.train.texts)
    assert few(data, 2, draw=2).train != small.train


def cell(method: str, draw: int, right: str, **others: Any) -> Mapping[str, Any]:
    told = {"set": "trec", "size": 8, "method": method, "draw": draw}
    return {"settings": told, "right": right, "training_seconds": 60.0, "peak_mb": 100 + draw, **others}


def test_differences_are_paired_by_draw():
    cells = [
        *(cell(FROZEN, draw, right) for draw, right in enumerate(["1000", "1100", "0000"])),
        *(cell("contrastive", draw, right) for draw, right in enumerate(["1100", "1110", "0100"])),
        *(cell(AUTO, draw, "1000", chosen=FROZEN) for draw in range(2)), cell(NOTHING, 0, "0001"),
    ]  # fmt: skip
    rows = {row["method"]: row for row in summary(cells, {"trec": [0, 1]})}
    assert rows[FROZEN]["test"] == 25 and rows[FROZEN]["clean"] == 50 and "over_frozen" not in rows[FROZEN]
    assert rows["contrastive"]["over_frozen"] == [25, 25, 25], "each draw gains 25 points"
    assert rows["contrastive"]["minutes"] == 1 and rows["contrastive"]["peak_mb"] == 102
    assert rows[AUTO]["best"] == "contrastive" and rows[AUTO]["under_best"] == [37.5], "two draws have no interval"
    assert rows[AUTO]["chosen"] == [FROZEN] * 2 and rows[NOTHING]["draws"] == 1


def test_a_cell_of_the_floor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(few_labels, "opened", lambda name: replace(tiny_dataset(), dev=None))
    found = few_labels.measured({"set": "trec", "size": 4, "draw": 0, "method": "floor"})
    assert found["rows"] == 12 and len(found["right"]) == 60 and found["right"].count("1") > 30
    nothing = few_labels.measured({"set": "trec", "size": 4, "draw": 0, "method": NOTHING})
    most = np.bincount(tiny_dataset().train.targets).argmax()  # type: ignore[union-attr]
    assert [hit == "1" for hit in nothing["right"]] == (tiny_dataset().test.targets == most).tolist()  # type: ignore[union-attr]
