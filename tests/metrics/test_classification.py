"""Classification scores against scikit-learn, and by hand where it has no answer."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.classification import accuracy, confusion, macro_f1, matthews, recalls

sklearn = pytest.importorskip("sklearn.metrics")


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Predicted and true classes, right about half the time; classes that do not occur are frequent."""
    generator = np.random.default_rng(seed)
    classes, n = int(generator.integers(2, 12)), int(generator.integers(1, 60))
    labels = generator.integers(0, classes, size=n)
    guesses = generator.integers(0, classes, size=n)
    return np.where(generator.random(n) < 0.5, labels, guesses), labels, classes


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning:sklearn")
def test_against_scikit_learn(seed: int) -> None:
    predicted, labels, classes = random_case(seed)
    counts = confusion(predicted, labels, classes)
    assert np.array_equal(counts, sklearn.confusion_matrix(labels, predicted, labels=range(classes)))
    assert accuracy(predicted, labels) == pytest.approx(sklearn.accuracy_score(labels, predicted))
    assert macro_f1(counts) == pytest.approx(sklearn.f1_score(labels, predicted, average="macro"))
    assert matthews(counts) == pytest.approx(sklearn.matthews_corrcoef(labels, predicted), abs=1e-9)
    theirs = sklearn.recall_score(labels, predicted, labels=range(classes), average=None, zero_division=np.nan)
    assert np.allclose(recalls(counts), theirs, equal_nan=True)


def test_the_random_cases_leave_classes_out() -> None:
    cases = [random_case(seed) for seed in range(40)]
    assert any(len(set(labels) | set(predicted)) < classes for predicted, labels, classes in cases)
    assert any(set(predicted) - set(labels) for predicted, labels, _ in cases)


def test_rows_are_true_and_columns_predicted() -> None:
    counts = confusion(np.array([1, 1, 0, 2]), np.array([0, 0, 0, 1]), 3)
    assert counts.tolist() == [[1, 2, 0], [0, 0, 1], [0, 0, 0]]
    assert recalls(counts)[:2].tolist() == [1 / 3, 0] and np.isnan(recalls(counts)[2])
    assert macro_f1(counts) == pytest.approx((2 / 4 + 0 + 0) / 3)


def test_matthews_at_its_ends() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    assert matthews(confusion(labels, labels, 2)) == pytest.approx(1)
    assert matthews(confusion(1 - labels, labels, 2)) == pytest.approx(-1)
    assert matthews(confusion(np.zeros(5, dtype=int), labels, 2)) == 0
    assert matthews(confusion(np.array([0]), np.array([0]), 2)) == 0


def test_matthews_of_many_rows_does_not_overflow() -> None:
    counts = np.array([[3_000_000_000, 1_000_000_000], [1_000_000_000, 3_000_000_000]])
    assert matthews(counts) == pytest.approx(0.5)
