"""How faithfully one model follows another, whatever the labels say."""

from __future__ import annotations

import numpy as np

from leanformer.predictor import softmax


def label_agreement(logits: np.ndarray, reference: np.ndarray) -> float:
    """Share of rows `[n, classes]` on which both choose the same class (label loyalty, Xu et al. 2021)."""
    return float((logits.argmax(axis=1) == reference.argmax(axis=1)).mean())


def probability_agreement(logits: np.ndarray, reference: np.ndarray) -> float:
    """Mean of 1 - sqrt(Jensen-Shannon divergence in bits) over rows (probability loyalty, Xu et al. 2021)."""
    p, q = softmax(reference.astype(np.float64)), softmax(logits.astype(np.float64))
    middle = (p + q) / 2

    def divergence(a: np.ndarray) -> np.ndarray:
        ratio = np.where(a > 0, a / np.where(middle > 0, middle, 1), 1)
        return np.asarray((a * np.log2(ratio)).sum(axis=1))

    distance = np.sqrt(np.clip((divergence(p) + divergence(q)) / 2, 0, 1))
    return float((1 - distance).mean())
