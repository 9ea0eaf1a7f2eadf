"""Logits to probabilities, and vectors to length 1."""

from __future__ import annotations

import numpy as np


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), by way of tanh so that it cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def unit_vectors(values: np.ndarray) -> np.ndarray:
    """The rows of `[n, width]` with length 1, so that products of two are cosines; a row of zeros stays one."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1))
