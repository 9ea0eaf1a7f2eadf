"""Scores of single-label classification from predicted and true class indices."""

from __future__ import annotations

import numpy as np


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows `[n]` whose class is right, 0 to 1."""
    return float((predicted == labels).mean())


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts `[classes, classes]`: true class by row, predicted class by column."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return np.asarray(counts.reshape(classes, classes))


def recalls(counts: np.ndarray) -> np.ndarray:
    """Recall of each class `[classes]`; NaN for a class without rows."""
    support = counts.sum(axis=1)
    found = np.divide(np.diag(counts), support, out=np.full(len(counts), np.nan), where=support > 0)
    return np.asarray(found)


def f1_scores(counts: np.ndarray) -> np.ndarray:
    """F1 of each class `[classes]`; 0 for a class that occurs neither in the labels nor in the predictions."""
    both = counts.sum(axis=1) + counts.sum(axis=0)
    return np.asarray(np.divide(2 * np.diag(counts), both, out=np.zeros(len(counts)), where=both > 0))


def macro_f1(counts: np.ndarray) -> float:
    """Mean F1 over the classes that occur, in the labels or in the predictions."""
    return float(f1_scores(counts)[(counts.sum(axis=1) + counts.sum(axis=0)) > 0].mean())


def matthews(counts: np.ndarray) -> float:
    """Matthews correlation for any number of classes (Gorodkin 2004), -1 to 1; 0 where it is undefined."""
    n, right = float(counts.sum()), float(np.trace(counts))
    true, said = counts.sum(axis=1).astype(float), counts.sum(axis=0).astype(float)
    spread = (n * n - (said**2).sum()) * (n * n - (true**2).sum())
    return float((right * n - (true * said).sum()) / np.sqrt(spread)) if spread > 0 else 0.0
