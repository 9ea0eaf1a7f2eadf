"""AFLite: rows that give their label away are predictable, and go first."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.adversarial_filter import aflite, predictability

ROWS = 300


def leaky(seed: int, share: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random features and labels; in a share of the rows one feature is the label. Those rows are the third result."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, ROWS)
    features = generator.normal(size=(ROWS, 8))
    leaked = generator.random(ROWS) < share
    features[:, 3] = np.where(leaked, 6.0 * (2 * labels - 1), 0)
    return features, labels, leaked


def area(scores: np.ndarray, wanted: np.ndarray) -> float:
    """The area under the ROC curve."""
    above = scores[wanted][:, None] - scores[~wanted][None]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def test_rows_with_a_leak_are_predictable():
    features, labels, leaked = leaky(1)
    scores = predictability(features, labels, rounds=24)
    assert area(scores, leaked) > 0.9
    assert scores[leaked].mean() > 0.95 and 0.3 < scores[~leaked].mean() < 0.7


def test_rows_with_a_leak_go_first():
    features, labels, leaked = leaky(2)
    rows = aflite(features, labels, ROWS - 60, rounds=40)
    assert len(rows) == ROWS - 60 and (np.diff(rows) > 0).all()
    gone = np.setdiff1d(np.arange(ROWS), rows)
    assert leaked[gone].mean() > 0.9


def test_it_ends_where_no_row_is_predictable():
    generator = np.random.default_rng(3)
    features, labels = generator.normal(size=(ROWS, 4)), generator.integers(0, 2, ROWS)
    rows = aflite(features, labels, 10, rounds=24, threshold=0.95)
    assert len(rows) > ROWS / 2
    assert len(aflite(features, labels, ROWS, rounds=1)) == ROWS


def test_a_row_is_only_asked_where_it_was_held_out():
    """Noise is not predicted better than by chance, although a model knows the rows that it was trained on."""
    generator = np.random.default_rng(4)
    features, labels = generator.normal(size=(60, 50)), generator.integers(0, 2, 60)
    scores = predictability(features, labels, rounds=60, strength=1000.0)
    assert scores.mean() == pytest.approx(0.5, abs=0.12)


def test_rounds_are_drawn_from_the_seed():
    features, labels, _ = leaky(5)
    first, again, other = (predictability(features, labels, rounds=4, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
