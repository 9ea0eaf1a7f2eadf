"""Multi-label scores against scikit-learn, and thresholds against trying them all."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.multilabel import best_thresholds, label_recalls, mean_label_f1, micro_f1, subset_accuracy


def drawn(seed: int, n: int = 60, labels: int = 5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    true = (generator.random((n, labels)) < 0.3).astype(np.int64)
    return np.where(generator.random((n, labels)) < 0.2, 1 - true, true), true


@pytest.mark.parametrize("seed", range(4))
def test_against_scikit_learn(seed: int) -> None:
    theirs = pytest.importorskip("sklearn.metrics")
    predicted, true = drawn(seed)
    assert micro_f1(predicted, true) == pytest.approx(theirs.f1_score(true, predicted, average="micro"))
    assert mean_label_f1(predicted, true) == pytest.approx(theirs.f1_score(true, predicted, average="macro"))
    assert subset_accuracy(predicted, true) == pytest.approx(theirs.accuracy_score(true, predicted))
    assert label_recalls(predicted, true) == pytest.approx(theirs.recall_score(true, predicted, average=None))


def test_nothing_applies_and_nothing_is_given() -> None:
    none = np.zeros((4, 3), dtype=np.int64)
    assert micro_f1(none, none) == mean_label_f1(none, none) == subset_accuracy(none, none) == 1
    one = none.copy()
    one[0, 0] = 1
    assert micro_f1(one, none) == micro_f1(none, one) == 0
    # A label that occurs on neither side has no F1, rather than one of 0.
    assert mean_label_f1(one, one) == 1
    assert np.isnan(label_recalls(none, none)).all()


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_is_better_than_the_chosen_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    true = (generator.random((40, 3)) < 0.4).astype(np.int64)
    # Rounded, so that equal probabilities occur with and without the label.
    probabilities = np.round(np.clip(0.3 * true + generator.random((40, 3)) * 0.7, 0, 1), 1 + seed % 2)
    chosen = best_thresholds(probabilities, true)
    for i, threshold in enumerate(chosen):
        every = [micro_f1(probabilities[:, i : i + 1] >= t, true[:, i : i + 1]) for t in np.linspace(0, 1.001, 3000)]
        assert micro_f1(probabilities[:, i : i + 1] >= threshold, true[:, i : i + 1]) >= max(every) - 1e-12


def test_of_equally_good_thresholds_the_nearest_to_a_half() -> None:
    probabilities = np.array([[0.1], [0.2], [0.7], [0.8], [0.85], [0.9], [0.95]])
    true = np.array([[0], [0], [1], [1], [1], [1], [1]])
    assert best_thresholds(probabilities, true) == (0.5,)
    assert best_thresholds(probabilities / 4, true) == (pytest.approx((0.05 + 0.175) / 2),)


def test_a_rare_label_keeps_a_half() -> None:
    probabilities = np.linspace(0, 0.4, 20)[:, None]
    true = (np.arange(20) >= 16).astype(np.int64)[:, None]
    assert best_thresholds(probabilities, true) == (0.5,)
    assert best_thresholds(probabilities, true, fewest=4)[0] < 0.4
