"""Logistic regression on vectors: probabilities of several classes, of two, of one, and of any number of labels."""

from __future__ import annotations

import numpy as np

from leanformer.curate.dense_fits import DENSE_FITS
from leanformer.metrics.probabilities import sigmoid, softmax


def clusters(classes: int, rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    targets = generator.integers(0, classes, rows)
    vectors = np.eye(3)[targets] + generator.normal(0, 0.2, (rows, 3))
    return np.concatenate([np.ones((rows, 1)), vectors], axis=1), targets


def test_classes_are_told_apart_and_one_without_rows_is_never_given() -> None:
    matrix, targets = clusters(3)
    numbers = np.array([0, 2, 3])[targets]
    logits = matrix @ DENSE_FITS["label"](matrix, numbers, 5, 1.0, 0)
    assert (logits.argmax(axis=1) == numbers).mean() > 0.95
    assert softmax(logits)[:, [1, 4]].max() < 1e-3


def test_of_two_classes_the_probabilities_are_those_of_the_logistic_model() -> None:
    from sklearn.linear_model import LogisticRegression

    matrix, targets = clusters(2)
    logits = matrix @ DENSE_FITS["label"](matrix, targets, 2, 1.0, 0)
    expected = LogisticRegression(C=1.0).fit(matrix[:, 1:], targets).predict_proba(matrix[:, 1:])
    np.testing.assert_allclose(softmax(logits), expected, atol=0.01)


def test_each_label_has_a_model_of_its_own() -> None:
    matrix, targets = clusters(3)
    both = np.stack([targets == 0, targets > 0, np.ones(120), np.zeros(120)], axis=1).astype(np.int64)
    logits = matrix @ DENSE_FITS["labels"](matrix, both, 4, 1.0, 0)
    assert ((sigmoid(logits) > 0.5) == both).mean() > 0.97
    assert (logits[:, 2] > 0).all() and (logits[:, 3] < 0).all(), "what all rows have, and what none has"


def test_a_single_class_is_given_to_all() -> None:
    matrix, _ = clusters(2)
    logits = matrix @ DENSE_FITS["label"](matrix, np.ones(120, dtype=np.int64), 3, 1.0, 0)
    assert (logits.argmax(axis=1) == 1).all()
