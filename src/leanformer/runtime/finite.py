"""A check that all numbers are finite, at the cost of one sum."""

from __future__ import annotations

import numpy as np


def first_not_finite(values: np.ndarray) -> tuple[int, ...] | None:
    """Index of the first value that is infinite or NaN; None if all are finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        # Infinities and NaNs survive in a sum, so the values are checked only if the sum is not finite.
        if np.isfinite(values.sum()):
            return None
        wrong = ~np.isfinite(values)
    if not wrong.any():
        return None
    return tuple(int(place) for place in np.unravel_index(int(wrong.argmax()), values.shape))
