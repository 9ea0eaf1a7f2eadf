"""Prediction depth: which layer settles the answer, with neighbours that are known."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate import prediction_depth as module
from leanformer.curate.prediction_depth import neighbours_answer, prediction_depth

LABELS = np.repeat([0, 1], 20)


def apart(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Vectors that are near those of the same label."""
    return np.eye(2)[labels] * 10 + np.random.default_rng(seed).normal(size=(len(labels), 2))


def test_neighbours_answer_without_the_row_itself() -> None:
    assert (neighbours_answer(apart(LABELS), LABELS, k=5) == LABELS).all()
    # A single row with another label than its surroundings is outvoted, as it does not vote for itself.
    other = LABELS.copy()
    other[0] = 1
    assert neighbours_answer(apart(LABELS), other, k=1)[0] == 0


def test_neighbours_equal_those_of_all_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 7)
    generator = np.random.default_rng(1)
    vectors, labels = generator.normal(size=(60, 4)), generator.integers(0, 3, 60)
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :5]
    expected = [np.bincount(labels[row], minlength=3).argmax() for row in nearest]
    assert neighbours_answer(vectors, labels, k=5).tolist() == expected


def test_rows_that_are_settled_by_the_embeddings_have_depth_0() -> None:
    assert (prediction_depth([apart(LABELS, seed) for seed in range(4)], LABELS, k=5) == 0).all()


def test_a_row_that_moves_in_the_last_layer_is_deepest() -> None:
    layers = [apart(LABELS, seed) for seed in range(3)]
    layers[0][0] = layers[1][0] = [0.0, 10.0]  # among the others until the last layer
    assert prediction_depth(layers, LABELS, k=5)[0] == 2
    layers[1][0] = [10.0, 0.0]
    assert prediction_depth(layers, LABELS, k=5)[0] == 1
    assert (prediction_depth(layers, LABELS, k=5)[1:] == 0).all()


def test_neighbours_are_drawn_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 12)
    assert (neighbours_answer(apart(LABELS), LABELS, k=3) == LABELS).all()
