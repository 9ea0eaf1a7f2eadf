"""Exact binomial probabilities in numpy: tails and Clopper-Pearson bounds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=8)
def log_factorials(n: int) -> np.ndarray:
    """log 0!, log 1!, ..., log n!, float64 `[n + 1]`. The array is shared: it must not be written to."""
    values = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    values.flags.writeable = False
    return values


def binomial_pmf(n: int, p: float) -> np.ndarray:
    """P(X = 0), ..., P(X = n) for X ~ Binomial(n, p), `[n + 1]`."""
    if p <= 0 or p >= 1:
        certain = np.zeros(n + 1)
        certain[0 if p <= 0 else n] = 1
        return certain
    k = np.arange(n + 1)
    logs = log_factorials(n)
    return np.asarray(np.exp(logs[n] - logs[k] - logs[n - k] + k * np.log(p) + (n - k) * np.log1p(-p)))


def at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p)."""
    return float(min(1.0, binomial_pmf(n, p)[: k + 1].sum())) if k < n else 1.0


def upper_limit(k: int, n: int, confidence: float) -> float:
    """Clopper-Pearson (1934) upper limit of a share after `k` of `n`: one-sided, never below its confidence."""
    if k >= n:
        return 1.0
    low, high = k / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(k, n, middle) > 1 - confidence else (low, middle)
    return high


def lower_limit(k: int, n: int, confidence: float) -> float:
    """Clopper-Pearson (1934) lower limit of a share after `k` of `n`, one-sided."""
    return 1 - upper_limit(n - k, n, confidence)
