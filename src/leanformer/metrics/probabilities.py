"""Logits to probabilities, and vectors to unit length."""

from __future__ import annotations

import numpy as np


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    # The reductions of the methods `max` and `sum`, which take twice as long for a single row.
    shifted = np.exp(values - np.maximum.reduce(values, axis=-1, keepdims=True))
    return np.asarray(shifted / np.add.reduce(shifted, axis=-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), computed with tanh so that it cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def unit_vectors(values: np.ndarray) -> np.ndarray:
    """The rows of `[n, width]` scaled to length 1, so that dot products are cosines; a zero row stays zero."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1))
