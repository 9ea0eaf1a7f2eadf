"""Calibration of probabilities: the expected calibration error, and temperature scaling to reduce it."""

from __future__ import annotations

import numpy as np

from leanformer.metrics.probabilities import softmax


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015; 15 equal bins as in Guo et al. 2017), 0 to 1.

    The gap between mean confidence and accuracy per confidence bin, weighted by the number of rows in the bin.
    `probabilities` is `[n, classes]`, `labels` `[n]`. A confidence on an edge belongs to the bin below it.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def log_loss(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood in nats of logits `[n, classes]` divided by `temperature`."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest log loss (Guo et al. 2017), between 0.05 and 20.

    Fit it on dev, never on the texts on which the error is reported. The loss is convex in 1 / temperature, so it is
    found by golden-section search over 1 / temperature.
    """
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(1 / 20), np.log(20)
    # Unimodal in log(1 / T) as well, because a monotone change of variable moves no minimum.
    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if log_loss(logits, labels, float(np.exp(-left))) <= log_loss(logits, labels, float(np.exp(-right))):
            high = right
        else:
            low = left
    return float(np.exp(-(low + high) / 2))


def scaled_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax of logits `[n, classes]` divided by `temperature`, float64."""
    return softmax(logits.astype(np.float64) / temperature)
