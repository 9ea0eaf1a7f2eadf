"""The model between two rounds of labelling: multinomial logistic regression on vectors that are never trained."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from leanformer.metrics.probabilities import softmax

STRENGTH = 10.0  # inverse regularisation C, for vectors of length 1
_STEPS = 200
_NEVER = -1e4  # the logit of a class without labelled rows


@dataclass(frozen=True)
class Head:
    """A linear model: `weights` `[width, classes]` and `bias` `[classes]`."""

    weights: np.ndarray
    bias: np.ndarray

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """`[n, classes]` for vectors `[n, width]`; a class without labelled rows has probability 0."""
        return softmax(vectors @ self.weights + self.bias)

    def answers(self, vectors: np.ndarray) -> np.ndarray:
        """The likeliest class of each vector, `[n]`."""
        return np.asarray((vectors @ self.weights + self.bias).argmax(axis=1))


def fit_head(vectors: np.ndarray, labels: np.ndarray, classes: int, strength: float = STRENGTH) -> Head:
    """Train a head on vectors `[n, width]` and classes `[n]`. Raises `ValueError` for fewer than two classes."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError("a head needs labelled rows of at least two classes")
    with warnings.catch_warnings():
        # A solution that has not fully converged answers the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=_STEPS).fit(vectors, labels)
    found, bias = model.coef_.T, model.intercept_
    if len(present) == 2:
        found, bias = np.concatenate([-found, found], axis=1) / 2, np.concatenate([-bias, bias]) / 2
    weights, biases = np.zeros((vectors.shape[1], classes)), np.full(classes, _NEVER)
    weights[:, present], biases[present] = found, bias
    return Head(weights, biases)
