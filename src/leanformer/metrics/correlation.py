"""Scores of a task whose answer is a number: how well predicted scores go along with the true ones."""

from __future__ import annotations

import numpy as np


def pearson(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Pearson's correlation of two vectors `[n]`, -1 to 1; 0 where one of them is constant and it is undefined."""
    x, y = predicted - predicted.mean(), scores - scores.mean()
    spread = np.sqrt((x * x).sum() * (y * y).sum())
    # Rounding leaves a little of a constant; what is that small beside the values is no spread.
    if spread <= 1e-12 * max(1e-300, len(x) * np.abs(predicted).max() * np.abs(scores).max()):
        return 0.0
    return float(np.clip((x * y).sum() / spread, -1, 1))


def spearman(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Spearman's rank correlation `[n]`: Pearson's of the ranks, equal values sharing their mean rank."""
    return pearson(_ranks(predicted), _ranks(scores))


def mean_absolute_error(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Mean distance of two vectors `[n]`, on the scale of the scores."""
    return float(np.abs(predicted - scores).mean())


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value from 1; equal values have the mean of the ranks that they take up."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place])
