"""Rows that are spread over the others: planted clusters, outliers, and the trick of BADGE against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.active.spread import badge, central, density, farthest, nearest_rows
from leanformer.metrics.probabilities import softmax, unit_vectors


def clusters(count: int, size: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed)
    centres = unit_vectors(drawn.normal(size=(count, 16)))
    return unit_vectors(np.repeat(centres, size, axis=0) + 0.02 * drawn.normal(size=(count * size, 16)))


def test_central_takes_a_row_of_every_cluster() -> None:
    rows = central(clusters(6, 30), 6, seed=1)
    assert sorted(row // 30 for row in rows) == list(range(6))


def test_central_takes_different_rows_even_of_equal_vectors() -> None:
    rows = central(np.ones((9, 4)) / 2, 5, seed=1)
    assert len(set(rows.tolist())) == 5
    assert sorted(central(clusters(2, 4), 8, seed=1).tolist()) == list(range(8))


def test_farthest_is_the_greedy_k_centre() -> None:
    vectors = np.random.default_rng(2).normal(size=(40, 5))
    known = np.random.default_rng(3).normal(size=(6, 5))
    expected: list[int] = []
    for _ in range(7):
        centres = np.concatenate([known, vectors[expected]])
        distances = np.linalg.norm(vectors[:, None] - centres, axis=2).min(axis=1)
        expected.append(int(distances.argmax()))
    assert farthest(vectors, known, 7).tolist() == expected
    first = farthest(vectors, known[:0], 40)
    assert first[0] == np.linalg.norm(vectors - vectors.mean(axis=0), axis=1).argmin()
    assert sorted(first.tolist()) == list(range(40))


def test_badge_chooses_as_on_the_gradients_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(4)
    vectors, probabilities = drawn.normal(size=(30, 6)), softmax(drawn.normal(size=(30, 3)))
    errors = probabilities - np.eye(3)[probabilities.argmax(axis=1)]
    gradients = (errors[:, :, None] * vectors[:, None, :]).reshape(30, -1)
    seen: list[tuple[list[int], np.ndarray]] = []
    generator = np.random.default_rng(5)

    class Recorded:
        def choice(self, left: np.ndarray, p: np.ndarray) -> int:
            seen.append((left.tolist(), p))
            return int(generator.choice(left, p=p))

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Recorded())
    rows = badge(vectors, probabilities, 6, seed=5)
    assert rows[0] == np.linalg.norm(gradients, axis=1).argmax()
    for number, (left, chances) in enumerate(seen, start=1):
        near = ((gradients[left][:, None] - gradients[rows[:number]]) ** 2).sum(axis=2).min(axis=1)
        assert chances == pytest.approx(near / near.sum(), abs=1e-5)
    assert len(set(rows.tolist())) == 6


def test_badge_goes_on_where_all_gradients_are_zero() -> None:
    assert len(set(badge(np.ones((5, 3)), np.eye(2)[[0, 1, 0, 1, 0]], 5, seed=1).tolist())) == 5


def test_an_outlier_is_the_least_dense() -> None:
    vectors = np.concatenate([clusters(3, 20), -clusters(3, 20)[:1]])
    assert density(vectors, seed=1).argmin() == 60
    assert density(vectors[:1], seed=1).tolist() == [1]


def test_nearest_rows_are_those_with_the_largest_cosine() -> None:
    vectors, known = clusters(4, 3, seed=6), clusters(4, 5, seed=6)
    near = nearest_rows(vectors, known, 2)
    cosines = vectors @ known.T
    for row, chosen in enumerate(near):
        assert sorted(cosines[row, chosen]) == pytest.approx(sorted(cosines[row])[-2:])
    assert nearest_rows(vectors, known[:1], 9).shape == (12, 1)
