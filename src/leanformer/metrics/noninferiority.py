"""Is the loss of accuracy below a margin? An exact test on paired answers, valid for few texts and few differences.

Two models answer the same n texts. `lost` counts texts that only the reference has right, `gained` those that only the
new model has right. With probabilities p10 and p01, the loss is p10 - p01, and the hypothesis to be rejected is p10 -
p01 >= margin.

Outcomes are ordered by Tango's score statistic (Tango 1998, Statistics in Medicine 17). Its normal approximation
ships too often when differences are few, so the probability of an outcome at least as favourable is computed exactly
(trinomial) and maximised over the nuisance parameter, the share of texts on which the two differ, within its own
interval of confidence 1 - `GAMMA`; `GAMMA` is then added (Berger and Boos 1994, JASA 89). The maximum over the whole
hypothesis lies on its boundary, since the ordering is monotone in both counts (Barnard's convexity; Roehmel and
Mansmann 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, sqrt
from statistics import NormalDist

import numpy as np

from leanformer.metrics.binomial import log_factorials, lower_limit, upper_limit

GAMMA = 1e-4
# Beyond this many differing texts the normal approximation is used; its error is far below that of the data.
_EXACT_DIFFERING = 2000
# Values of the nuisance parameter tried, first over its interval, then around the best of them.
_GRIDS = (21, 9)
# Counts beyond this many standard deviations are not enumerated; their probability is added to the p-value.
_REACH = 8.0


def tango_score(lost: np.ndarray, gained: np.ndarray, n: int, margin: float) -> np.ndarray:
    """Tango's statistic for the hypothesis that the loss is `margin`; negative if less was lost. 0 for 0 / 0."""
    p10, p01 = np.asarray(lost) / n, np.asarray(gained) / n
    variance = _variance_on_boundary(p10, p01, margin) / n
    return np.asarray((p10 - p01 - margin) / np.sqrt(np.where(variance > 0, variance, np.inf)))


def _variance_on_boundary(p10: np.ndarray, p01: np.ndarray, margin: float) -> np.ndarray:
    """Variance of one text's loss at the most likely p01 among those with a loss of `margin`."""
    b = -p10 - p01 + (2 - p10 + p01) * margin
    c = -p01 * margin * (1 - margin)
    most_likely = (np.sqrt(np.maximum(b * b - 8 * c, 0)) - b) / 4
    return np.asarray(2 * most_likely + margin * (1 - margin))


@lru_cache(maxsize=65536)
def noninferiority_p(lost: int, gained: int, n: int, margin: float) -> float:
    """p-value of the hypothesis that at least `margin` (a share, -1 to 1) is lost; if small, less is lost.

    Raises `ValueError` for impossible counts.
    """
    if lost < 0 or gained < 0 or n < 1 or lost + gained > n or not -1 < margin < 1:
        raise ValueError(f"{lost} lost and {gained} gained of {n} at margin {margin}")
    observed = float(tango_score(np.array(lost), np.array(gained), n, margin))
    if lost + gained > _EXACT_DIFFERING:
        return NormalDist().cdf(observed)
    differing = lost + gained
    low = lower_limit(differing, n, 1 - GAMMA / 2) if differing else 0.0
    high = upper_limit(differing, n, 1 - GAMMA / 2)
    # p10 + p01 must be at least the margin; if its interval excludes that, only GAMMA is left.
    low, high = max(low, abs(margin)), min(high, 1.0)
    if low > high:
        return GAMMA
    largest = 0.0
    for points in _GRIDS:
        shares = np.linspace(low, high, points)
        values = _tails(shares, observed, n, margin)
        best = int(values.argmax())
        largest = max(largest, float(values[best]))
        low, high = shares[max(0, best - 1)], shares[min(points - 1, best + 1)]
    return min(1.0, largest + GAMMA)


def _tails(shares: np.ndarray, observed: float, n: int, margin: float) -> np.ndarray:
    """P(score <= observed) for each share of differing texts, on the boundary p10 - p01 = margin; never too small."""
    p10, p01 = (shares + margin) / 2, (shares - margin) / 2
    lost, gained = _window(p10, n), _window(p01, n)
    b, c = lost[:, None], gained[None, :]
    possible = b + c <= n
    logs = log_factorials(n)
    counted = logs[n] - logs[b] - logs[c] - logs[np.where(possible, n - b - c, 0)]
    counted = np.where(possible, counted, -np.inf)
    # The tolerance lets outcomes tied with the observed one count, whatever the rounding.
    region = tango_score(b, c, n, margin) <= observed + 1e-9
    values = np.empty(len(shares))
    for i, (x, y) in enumerate(zip(p10, p01, strict=True)):
        rest = max(0.0, 1 - x - y)
        pmf = np.exp(counted + _times_log(b, x) + _times_log(c, y) + _times_log(n - b - c, rest))
        values[i] = pmf[region].sum() + max(0.0, 1 - pmf.sum())
    return values


def _window(p: np.ndarray, n: int) -> np.ndarray:
    """The counts of Binomial(n, p) worth enumerating for any of the `p`."""
    reach = _REACH * np.sqrt(n * p * (1 - p)) + _REACH
    first, last = max(0, int((n * p - reach).min())), min(n, ceil((n * p + reach).max()))
    return np.arange(first, last + 1)


def _times_log(count: np.ndarray, p: float) -> np.ndarray:
    """count * log p, with 0 * log 0 = 0."""
    if p > 0:
        return np.asarray(count * log(p))
    return np.where(count == 0, 0.0, -np.inf)


def loss_limit(lost: int, gained: int, n: int, confidence: float) -> float:
    """One-sided upper confidence limit of the loss: the smallest margin that is shown, to within 1e-4."""
    low, high = (lost - gained) / n, 1 - 1e-6
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if noninferiority_p(lost, gained, n, middle) <= 1 - confidence else (middle, high)
    return high


def fewest_texts(margin: float, confidence: float) -> int:
    """Texts needed to show `margin` if the two models never differ; with fewer, only gains could show it."""
    return ceil(log(1 - confidence - GAMMA) / log(1 - margin))


def texts_needed(loss: float, differing: float, margin: float, *, confidence: float, power: float = 0.8) -> int | None:
    """About how many texts show the margin with this power, for the given true loss and share of differing texts.

    Normal approximation with the variance on the boundary for the test and the true variance for the power (Liu et al.
    2002, Statistics in Medicine 21), and never below `fewest_texts`. None if the loss is not below the margin: then no
    number of texts suffices.
    """
    if loss >= margin:
        return None
    bound = _variance_on_boundary(np.array((differing + loss) / 2), np.array((differing - loss) / 2), margin)
    spread = NormalDist().inv_cdf(confidence) * sqrt(float(bound))
    spread += NormalDist().inv_cdf(power) * sqrt(max(0.0, differing - loss * loss))
    return max(fewest_texts(margin, confidence), ceil((spread / (margin - loss)) ** 2))


@dataclass(frozen=True)
class ExactLoss:
    """The loss of accuracy of a model, from the counts of `noninferiority_p`; n may be 0, which shows nothing."""

    lost: int
    gained: int
    n: int

    @property
    def value(self) -> float:
        """The observed loss, a share."""
        return (self.lost - self.gained) / max(self.n, 1)

    def p_below(self, margin: float) -> float:
        """p-value of the hypothesis that at least `margin` is lost; if small, less is lost."""
        return noninferiority_p(self.lost, self.gained, self.n, margin) if self.n else 1.0

    def p_above(self, margin: float) -> float:
        """p-value of the hypothesis that at most `margin` is lost; if small, more is lost."""
        # Where hardly any text differs, no share of differing texts is both likely and on the boundary.
        if not self.n or self.value <= margin:
            return 1.0
        return noninferiority_p(self.gained, self.lost, self.n, -margin)

    def upper(self, confidence: float) -> float:
        """One-sided upper confidence limit of the loss."""
        return loss_limit(self.lost, self.gained, self.n, confidence) if self.n else 1.0

    def lower(self, confidence: float) -> float:
        """One-sided lower confidence limit of the loss."""
        return -loss_limit(self.gained, self.lost, self.n, confidence) if self.n else -1.0

    def needed(self, margin: float, confidence: float, power: float) -> int | None:
        """About how many texts show the margin; see `texts_needed`."""
        if not self.n:
            return fewest_texts(margin, confidence)
        differing = (self.lost + self.gained) / self.n
        return texts_needed(self.value, differing, margin, confidence=confidence, power=power)

    def bearable(self, margin: float, confidence: float, power: float) -> float | None:
        """The largest share of texts on which two equally good models may differ in rightness, so that as many texts
        show the margin with this power; None if they are too few even for identical answers."""
        if self.n < fewest_texts(margin, confidence):
            return None
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            needed = texts_needed(0.0, middle, margin, confidence=confidence, power=power)
            low, high = (middle, high) if needed is not None and needed <= self.n else (low, middle)
        return low
