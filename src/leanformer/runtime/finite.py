"""Whether all numbers are finite, at the price of one sum."""

from __future__ import annotations

import numpy as np


def first_not_finite(values: np.ndarray) -> tuple[int, ...] | None:
    """The place of the first number that is infinite or none; None where all are finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        # Infinities and what is no number survive in a sum; only a sum that is not finite is worth a second look.
        if np.isfinite(values.sum()):
            return None
        wrong = ~np.isfinite(values)
    if not wrong.any():
        return None
    return tuple(int(place) for place in np.unravel_index(int(wrong.argmax()), values.shape))
