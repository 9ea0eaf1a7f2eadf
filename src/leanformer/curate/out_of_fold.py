"""Logits of linear models for rows that they were not trained on (cross-validation)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from leanformer.linear.fit import Fit

FOLDS = 5
_TOGETHER = 4096
# Row numbers -> their features `[rows, columns]`, dense or sparse; the first column is 1.
Features = Callable[[np.ndarray], Any]


def deal_folds(strata: np.ndarray, groups: np.ndarray, seed: int, folds: int = FOLDS) -> np.ndarray:
    """The fold of each row, int64 `[n]`.

    Rows of one group are in one fold: if a model has seen a duplicate with the same wrong label, it agrees with it.
    The rows of each stratum are spread evenly (a group counts as its first row).
    """
    groups, first, places = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((np.random.default_rng(seed).random(len(groups)), strata[first]))
    fold = np.empty(len(groups), dtype=np.int64)
    fold[order] = np.arange(len(groups)) % folds
    return np.asarray(fold[places])


def out_of_fold(
    features: Features,
    targets: np.ndarray,
    folds: np.ndarray,
    trained: np.ndarray,
    fit: Fit,
    outputs: int,
    strength: float,
    seed: int,
) -> np.ndarray:
    """The logits of each row, float64 `[n, outputs]`, of a model trained on other folds.

    Args:
        targets: the labels `[n]` or `[n, labels]` that `fit` takes (`linear.fit.FITS`). folds: of each row.
        strength: inverse regularisation.
        trained: the rows to train on; rows of all folds are predicted, in parts, so that memory stays bounded.
    """
    known, own = features(trained), folds[trained]
    weights = [
        fit(known[own != fold], targets[trained][own != fold], outputs, strength, seed)
        for fold in range(folds.max() + 1)
    ]
    logits = np.empty((len(targets), outputs))
    for start in range(0, len(targets), _TOGETHER):
        rows = np.arange(start, min(start + _TOGETHER, len(targets)))
        matrix = features(rows)
        for fold, weight in enumerate(weights):
            held = folds[rows] == fold
            logits[rows[held]] = matrix[held] @ weight
    return logits
