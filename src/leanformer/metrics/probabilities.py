"""Logits to probabilities, and vectors to unit length."""

from __future__ import annotations

import numpy as np


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), computed with tanh so that it cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def unit_vectors(values: np.ndarray) -> np.ndarray:
    """The rows of `[n, width]` scaled to length 1, so that dot products are cosines; a zero row stays zero."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1))
