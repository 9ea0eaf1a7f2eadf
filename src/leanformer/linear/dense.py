"""Fits of linear models on vectors, such as an encoder's: logistic regression, for the same tables as `fit.py`."""

from __future__ import annotations

import numpy as np

from leanformer.answers.form import FormTable
from leanformer.linear.features import BIAS
from leanformer.linear.fit import NEVER, Fit

_MOST_STEPS = 100


def _one_label(matrix: np.ndarray, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """Weights for one label per text; a class without texts is never predicted."""
    weights = np.zeros((matrix.shape[1], outputs))
    weights[BIAS] = NEVER
    weights[:, np.unique(targets)] = _logistic(matrix, targets, strength)
    return weights


def _any_labels(matrix: np.ndarray, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """A classifier per label; a label that all or no texts have always or never applies."""
    weights = np.zeros((matrix.shape[1], outputs))
    for label in range(outputs):
        found = _logistic(matrix, targets[:, label], strength)
        both = found.shape[1] == 2
        weights[:, label] = found[:, 1] - found[:, 0] if both else found[:, 0] * (1 if targets[0, label] else -1)
    return weights


def _logistic(matrix: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    """Weights `[columns, distinct targets]` of multinomial logistic regression; a single class has only the bias."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(targets)) == 1:
        weights = np.zeros((matrix.shape[1], 1))
        weights[BIAS] = -NEVER
        return weights
    # The bias is an ordinary column.
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=_MOST_STEPS).fit(matrix, targets)
    found = model.coef_.T
    return np.asarray(np.concatenate([-found, found], axis=1) / 2 if found.shape[1] == 1 else found)


DENSE_FITS: FormTable[Fit] = FormTable("leanformer/linear/dense.py", {"label": _one_label, "labels": _any_labels})
