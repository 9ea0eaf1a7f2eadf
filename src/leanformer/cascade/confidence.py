"""Confidence of a classifier in its answer: three measures from temperature-scaled logits, each 0 to 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def _probability(shares: np.ndarray) -> np.ndarray:
    return np.asarray(shares.max(axis=1))


def _margin(shares: np.ndarray) -> np.ndarray:
    top = np.partition(shares, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


def _entropy(shares: np.ndarray) -> np.ndarray:
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.asarray(np.clip(1 + (shares * logs).sum(axis=1) / np.log(shares.shape[1]), 0.0, 1.0))


_MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "probability": _probability,
    "margin": _margin,
    "entropy": _entropy,
}
MEASURES = tuple(_MEASURES)


def confidence(values: np.ndarray, measure: str, temperature: float = 1.0) -> np.ndarray:
    """Confidence in the answer for each row of logits `[n, classes]`, `[n]`, 0 (none) to 1.

    "probability" is the largest probability, "margin" the largest minus the second, "entropy" one minus the ratio of
    the entropy to that of a uniform distribution; all of softmax(values / temperature). With two classes all three rank
    alike.
    """
    scaled = values.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return _MEASURES[measure](shares)


def area_under_risk(sure: np.ndarray, wrong: np.ndarray) -> float:
    """Mean share of wrong answers among the surest 1, 2, ..., n rows (AURC, Geifman et al. 2019); lower is better.

    Ties keep the given order.
    """
    order = np.argsort(-sure, kind="stable")
    return float((np.cumsum(wrong[order]) / np.arange(1, len(wrong) + 1)).mean())
