"""The floors of data sets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.ladders.floors import LINEAR, MAJORITY, floors, linear_floor, majority
from benchmarks.paths import RESULTS
from tests.making.tiny import tiny_dataset, tiny_kind_dataset

KEYS = {"set", "system", "metric", "quality", "n", "cpu_seconds"}


def test_a_set_has_a_linear_model_and_the_most_frequent_class():
    data = tiny_dataset()
    assert data.train is not None and data.test is not None
    seen = data.test.select([0])
    # One test text stands in train as well.
    train = replace(data.train, texts=(*data.train.texts, *seen.texts), labels=(*(data.train.labels or ()), 2))
    rows, chosen = floors("tiny", replace(data, train=train))
    assert [row["system"] for row in rows] == [LINEAR, MAJORITY] and all(row.keys() >= KEYS for row in rows)
    linear, constant = rows
    assert linear["quality"] > 0.9 and chosen["C"] > 0 and linear["cpu_seconds"] > 0
    # 41 of 121 training texts have the third label, and 20 of 60 test texts; the leaked text has another.
    assert constant["quality"] == pytest.approx(20 / 60) and constant["n"] == 60
    assert constant["quality_clean"] == pytest.approx(20 / 59) and constant["n_clean"] == 59


def test_a_constant_of_several_labels_is_the_most_frequent_one():
    data = tiny_kind_dataset("multilabel")
    assert data.train is not None
    given = majority(data, data.task)
    assert given is not None and (given.sum(axis=1) == 1).all()
    assert given[0].argmax() == data.train.targets.sum(axis=0).argmax()


def test_a_constant_ranks_nothing():
    data = tiny_kind_dataset("similarity")
    assert majority(data, data.task) is None
    rows, _ = floors("scores", data)
    assert [row["system"] for row in rows] == [LINEAR] and rows[0]["metric"] == "Spearman correlation"


def test_the_floor_of_a_set_is_read_from_the_results(tmp_path: Path):
    row = {"set": "a", "system": LINEAR, "quality": 0.5}
    (tmp_path / "floors.json").write_text(json.dumps([{**row, "system": MAJORITY, "quality": 0.1}, row]))
    assert linear_floor(tmp_path, "a") == 0.5 and linear_floor(tmp_path, "b") is None
    assert linear_floor(tmp_path / "nowhere", "a") is None


@pytest.mark.skipif(not (RESULTS / "floors.json").is_file(), reason="not measured yet")
def test_every_row_that_is_stored_is_whole():
    rows = json.loads((RESULTS / "floors.json").read_text(encoding="utf-8"))
    details = json.loads((RESULTS / "floors_details.json").read_text(encoding="utf-8"))
    assert len({(row["set"], row["system"]) for row in rows}) == len(rows)
    for row in rows:
        assert row.keys() >= KEYS | {"quality_clean", "n_clean"} and row["n_clean"] <= row["n"]
        assert details[row["set"]]["commit"]
    for name in {row["set"] for row in rows}:
        of_set = {row["system"]: row["quality"] for row in rows if row["set"] == name}
        assert of_set[LINEAR] > of_set.get(MAJORITY, 0)
