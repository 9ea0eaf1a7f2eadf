"""Agreement of two sequences of answers beyond chance."""

from __future__ import annotations

import numpy as np


def cohen_kappa(answers: np.ndarray, others: np.ndarray, classes: int) -> float:
    """Cohen's kappa (1960) of class indices `[n]` and `[n]`: 1 if all are equal, 0 if no more than by chance.

    If both give a single class, and the same to all rows, it is 1. Raises `ValueError` without rows.
    """
    if not len(answers):
        raise ValueError("no answers to compare")
    observed = float((answers == others).mean())
    shares = [np.bincount(given, minlength=classes) / len(given) for given in (answers, others)]
    expected = float(shares[0] @ shares[1])
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)
