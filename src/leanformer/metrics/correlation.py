"""Scores of a task whose answer is a number: how well predicted scores correlate with the true ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pearson(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Pearson's correlation of two vectors `[n]`, -1 to 1; 0 if one of them is constant, where it is undefined."""
    x, y = predicted - predicted.mean(), scores - scores.mean()
    spread = np.sqrt((x * x).sum() * (y * y).sum())
    # Rounding leaves a small spread even of a constant vector; a spread that small counts as none.
    if spread <= 1e-12 * max(1e-300, len(x) * np.abs(predicted).max() * np.abs(scores).max()):
        return 0.0
    return float(np.clip((x * y).sum() / spread, -1, 1))


def spearman(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Spearman's rank correlation of two vectors `[n]`: Pearson's of the ranks; ties share their mean rank."""
    return pearson(_ranks(predicted), _ranks(scores))


def kendall_tau(predicted: Sequence[float], measured: Sequence[float]) -> float | None:
    """Share of pairs in the same order, minus that in opposite order; None if no pair differs in both."""
    signs = [
        np.sign(predicted[i] - predicted[j]) * np.sign(measured[i] - measured[j])
        for i in range(len(predicted))
        for j in range(i)
    ]
    counted = [sign for sign in signs if sign]
    return float(np.mean(counted)) if counted else None


def mean_absolute_error(predicted: np.ndarray, scores: np.ndarray) -> float:
    """Mean absolute difference of two vectors `[n]`, on the scale of the scores."""
    return float(np.abs(predicted - scores).mean())


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value from 1; ties have the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place])
