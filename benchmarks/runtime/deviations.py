"""How far the answers of one way to run a model may stray from those of another, and how far they did."""

from __future__ import annotations

from typing import Any

import numpy as np

# Largest difference in probability: of fp32, and of int8.
FP32_BOUND, INT8_BOUND = 1e-5, 0.02
# Labels have to agree where the two most probable differ by more than this.
CLEAR = 0.02


def deviation(ours: np.ndarray, reference: np.ndarray, bound: float) -> dict[str, Any]:
    """Compare probabilities `[texts, labels]`, float64, with those of the reference.

    Returns `largest` and `mean` difference, how many labels differ (`flips`) and how many of them where the reference's
    top two are further apart than `CLEAR` (`clear_flips`), the share of texts with the same bits, and `within`: no
    difference above `bound`, no clear flip.
    """
    differences = np.abs(ours - reference)
    top = np.sort(reference, axis=1)
    clear = top[:, -1] - top[:, -2] > CLEAR
    flips = ours.argmax(axis=1) != reference.argmax(axis=1)
    return {
        "texts": len(ours),
        "largest": float(differences.max()),
        "mean": float(differences.mean()),
        "flips": int(flips.sum()),
        "clear_flips": int((flips & clear).sum()),
        "bit_equal": float((ours == reference).all(axis=1).mean()),
        "bound": bound,
        "within": bool(differences.max() <= bound and not (flips & clear).any()),
    }
