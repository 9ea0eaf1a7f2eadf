"""The benchmark of small models: how labels are divided, and what a row says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tiny.run import ALL, _figures, _ordered, divided
from leanformer.metrics.classification import accuracy
from tests.making.tiny import tiny_dataset


def test_the_rest_of_train_is_unlabelled_and_nothing_else_changes():
    data = tiny_dataset()
    assert data.train is not None and divided(data, ALL, 1) is data and divided(data, 1000, 1) is data
    few = divided(data, 30, seed=1)
    assert few.train is not None and few.unlabelled is not None and few.dev is data.dev and few.test is data.test
    assert len(few.train) == 30 and few.unlabelled.labels is None
    assert sorted([*few.train.texts, *few.unlabelled.texts]) == sorted(data.train.texts)
    assert divided(data, 30, seed=2).train != few.train


def test_a_difference_to_the_floor_has_a_paired_interval():
    targets = np.arange(400) % 2
    floor, better = np.where(np.arange(400) < 80, 1 - targets, targets), targets
    figures = _figures(better, floor, targets, accuracy)
    over = figures["over_floor"]
    assert figures["quality"] == 1.0 and isinstance(over, dict)
    assert 0.15 < over["low"] < over["difference"] < over["high"] < 0.25
    assert over["difference"] == pytest.approx(0.2)
    assert "over_floor" not in _figures(floor, floor, targets, accuracy)


def test_rows_are_in_order():
    keys = [("sst2", ALL, 13, "floor"), ("trec", 1000, 13, "floor"), ("trec", ALL, 14, "floor"),
            ("trec", ALL, 13, "teacher"), ("trec", ALL, 13, "linear")]  # fmt: skip
    rows = [dict(zip(("set", "labels", "seed", "system"), key, strict=True)) for key in keys]
    assert [tuple(row.values()) for row in _ordered(rows)] == [keys[4], keys[3], keys[2], keys[1], keys[0]]
