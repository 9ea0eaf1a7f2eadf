"""Confident learning: which given labels are probably wrong (Northcutt, Jiang and Chuang 2021, JAIR 70).

Everything is computed from probabilities `[n, classes]` of a model that was not trained on the row in question
(`out_of_fold.py`); in-sample probabilities agree with the given labels, wrong ones too. `labels` are the given ones,
class indices `[n]`.
"""

from __future__ import annotations

import numpy as np

_FEW_CLASSES = 4


def self_confidence(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability of each row's given label, `[n]`."""
    return np.asarray(probabilities[np.arange(len(labels)), labels])


def likeliest_other(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The likeliest class of each row other than its given label, `[n]`."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.asarray(others.argmax(axis=1))


def normalised_margin(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability of each row's given label minus the highest of another class, `[n]`, -1 to 1; low is suspect."""
    other = self_confidence(probabilities, likeliest_other(probabilities, labels))
    return np.asarray(self_confidence(probabilities, labels) - other)


def confident_joint(probabilities: np.ndarray, labels: np.ndarray, least: int = 1) -> np.ndarray:
    """How many rows with the given label i are confidently of class j, int64 `[classes, classes]`.

    A row counts for the likeliest of the classes whose probability reaches their threshold: the mean probability of
    the class over the rows that are labelled so. A class with fewer than `least` labelled rows
    has none (it would be near 0, and nearly every row reach it), and its rows do not count.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, self_confidence(probabilities, labels), minlength=classes)
    thresholds = np.where(counts >= max(least, 1), sums / np.maximum(counts, 1), np.inf)
    reached = np.where(probabilities >= thresholds, probabilities, -np.inf)
    confident = np.isfinite(reached).any(axis=1) & (counts[labels] >= least)
    joint = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(joint, (labels[confident], reached[confident].argmax(axis=1)), 1)
    return joint


def count_errors(joint: np.ndarray, labels: np.ndarray, least: int = 1) -> int:
    """How many given labels are expected to be wrong: the confident joint off its diagonal.

    Of fewer than four classes, with each row of the joint scaled to the number of rows that have its label: with few
    classes many rows reach no threshold and are not counted in the joint. `least` as in `confident_joint`.
    """
    errors, counts = joint.astype(np.float64), np.bincount(labels, minlength=len(joint))
    if (counts >= max(least, 1)).sum() < _FEW_CLASSES:
        errors *= (counts / np.maximum(joint.sum(axis=1), 1))[:, None]
    np.fill_diagonal(errors, 0)
    return round(float(errors.sum()))


def suspected(probabilities: np.ndarray, labels: np.ndarray, least: int = 1) -> np.ndarray:
    """The rows whose given label is suspected to be wrong, most suspect first.

    As many as are expected to be wrong, those of lowest self-confidence, if the model gives them another class.
    Labels of fewer than `least` rows are left out.
    """
    count = count_errors(confident_joint(probabilities, labels, least), labels, least)
    order = np.argsort(self_confidence(probabilities, labels), kind="stable")
    order = order[np.bincount(labels)[labels[order]] >= least][:count]
    return np.asarray(order[probabilities[order].argmax(axis=1) != labels[order]])
