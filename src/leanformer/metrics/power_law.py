"""The power law of learning curves: error(n) = a + b n^-c (Cortes et al. 1994; Hestness et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_EXPONENTS = np.linspace(0.05, 2, 79)


@dataclass(frozen=True)
class PowerLaw:
    """Parameters of several fits, each `[fits]`: the limit `a` and factor `b`, both 0 or more, and the exponent `c`."""

    limit: np.ndarray
    factor: np.ndarray
    exponent: np.ndarray

    def at(self, size: float) -> np.ndarray:
        """The error of each fit with `size` training rows, `[fits]`."""
        return np.asarray(self.limit + self.factor * size**-self.exponent)


def fit_power_laws(sizes: np.ndarray, errors: np.ndarray) -> PowerLaw:
    """Least squares of relative deviations, for errors `[fits, sizes]` at the same sizes `[sizes]`.

    The exponent is the best of a grid from 0.05 to 2. Raises `ValueError` for fewer than three sizes.
    """
    if len(set(sizes.tolist())) < 3:
        raise ValueError("a power law needs errors at three sizes")
    weights = 1 / np.maximum(errors, 1e-6) ** 2
    best = np.full(len(errors), np.inf)
    found = np.zeros((3, len(errors)))
    # Sizes relative to the largest keep the powers near 1.
    scaled = sizes / sizes.max()
    for exponent in _EXPONENTS:
        powers = scaled**-exponent
        limit, factor = _line(powers, errors, weights)
        squares = (weights * (errors - limit[:, None] - factor[:, None] * powers) ** 2).sum(axis=1)
        better = squares < best
        best[better] = squares[better]
        found[:, better] = limit[better], factor[better] * sizes.max() ** exponent, np.full(better.sum(), exponent)
    return PowerLaw(*found)


def _line(powers: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares of errors = limit + factor * powers, with both at least 0; each `[fits]`."""
    total = weights.sum(axis=1)
    mean_power, mean = (weights * powers).sum(axis=1) / total, (weights * errors).sum(axis=1) / total
    centred = powers - mean_power[:, None]
    slope = (weights * centred * errors).sum(axis=1) / (weights * centred**2).sum(axis=1)
    slope = np.maximum(slope, 0)
    limit = mean - slope * mean_power
    through_zero = (weights * powers * errors).sum(axis=1) / (weights * powers**2).sum(axis=1)
    return np.maximum(limit, 0), np.where(limit < 0, through_zero, slope)
