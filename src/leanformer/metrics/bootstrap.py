"""Percentile bootstrap intervals over rows (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def interval(
    statistic: Callable[[np.ndarray], float],
    n: int,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 13,
) -> tuple[float, float]:
    """Interval of a statistic of rows.

    Args:
        statistic: takes the indices `[n]` of the rows drawn and returns a number. Comparing two models inside it,
            on the same indices, makes the interval a paired one.
        n: number of rows.

    Returns the lower and upper end. Raises `ValueError` for n = 0.
    """
    if n == 0:
        raise ValueError("no rows to resample")
    generator = np.random.default_rng(seed)
    values = [statistic(generator.integers(0, n, size=n)) for _ in range(resamples)]
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
