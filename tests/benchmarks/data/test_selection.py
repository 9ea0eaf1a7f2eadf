"""The benchmark of selected rows: each way keeps its share, and gains are over random rows."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data import selection as module
from benchmarks.data.selection import WAYS, measured
from leanformer.metrics.probabilities import unit_vectors


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length 1 around three directions, and which one each is of."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    return unit_vectors(np.eye(6)[labels] + generator.normal(0, 0.6, (count, 6))), labels


@pytest.mark.parametrize("way", sorted(WAYS))
def test_each_way_keeps_its_share(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS", 4)
    vectors, labels = blobs(80, seed=1)
    rows = WAYS[way](vectors, labels, 50, 7)
    assert len(rows) == 50 == len(set(rows.tolist())) and (np.diff(rows) > 0).all()


def test_gains_are_over_random_rows_and_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS", 4)
    (train, labels), (test, gold) = blobs(90, seed=2), blobs(60, seed=3)
    rows = measured("blobs", {"vectors": (train, test)}, train, labels, gold, [0.5], [1, 2])
    assert [row["way"] for row in rows] == ["all", *WAYS] and [row["rows"] for row in rows] == [90, 45, 45, 45, 45]
    everything, by_chance, *others = rows
    assert everything["accuracy"] > 60 and "gain" not in everything and "gain" not in by_chance
    assert by_chance["over_all"] == pytest.approx(by_chance["accuracy"] - everything["accuracy"], abs=0.02)
    for row in others:
        assert row["gain"] == pytest.approx(row["accuracy"] - by_chance["accuracy"], abs=0.02)
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
