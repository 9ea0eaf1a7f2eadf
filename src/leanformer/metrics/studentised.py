"""Is the loss of a figure below a margin? A studentised test for figures that are not shares of right rows.

The loss is divided by its standard error over rows (or documents), and Student's quantile is corrected for skewness
(Johnson 1978, JASA 73), which makes the error of a one-sided test one of order 1/n. Only skewness that widens the limit
is corrected.

Two models often differ in so few rows that the ones that would show a loss are not among those drawn. Variance and
skewness therefore include `UNSEEN` further rows, of the kind that was drawn, that are lost altogether, so that even
identical answers show a margin only with enough rows (docs/decisions/0038).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf, sqrt
from statistics import NormalDist

import numpy as np

from leanformer.metrics.estimates import Estimate

UNSEEN = 3.0
# With fewer rows (or documents) that can lose something, nothing is claimed.
FEWEST = 10
_NORMAL = NormalDist()


@dataclass(frozen=True)
class StudentisedLoss:
    """The loss of a model against a reference, and what its distribution depends on.

    Attributes:
        value: the reference's figure minus the model's.
        rows: number of rows. units: number of rows, or documents, that can lose something.
        square, cube: sums of squares and cubes of the units' differences, times the number of rows.
        unseen_square, unseen_cube: the same for the unseen units.
    """

    value: float
    rows: float
    units: float
    square: float
    cube: float
    unseen_square: float
    unseen_cube: float

    @property
    def error(self) -> float:
        """Standard error of the loss."""
        return sqrt(self.square + self.unseen_square) / self.rows

    def p_below(self, margin: float) -> float:
        """p-value of the hypothesis that at least `margin` is lost; if small, less is lost."""
        return self._p(margin - self.value, 1)

    def p_above(self, margin: float) -> float:
        """p-value of the hypothesis that at most `margin` is lost; if small, more is lost."""
        return self._p(self.value - margin, -1)

    def upper(self, confidence: float) -> float:
        """One-sided upper confidence limit of the loss; infinite with too few rows."""
        return self.value + self._reach(confidence, 1)

    def lower(self, confidence: float) -> float:
        """One-sided lower confidence limit of the loss."""
        return self.value - self._reach(confidence, -1)

    def needed(self, margin: float, confidence: float, power: float) -> int | None:
        """About how many rows like these show the margin with this power; None if the loss is not below it."""
        if self.value >= margin or not self.rows:
            return None
        z = _NORMAL.inv_cdf(power)
        low, high = 0.0, 1.0

        def shows(times: float) -> bool:
            more = self._with(times)
            return more.upper(confidence) + z * sqrt(more.square) / more.rows <= margin

        while not shows(high):
            low, high = high, 2 * high
            if high > 1e9:
                return None
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (low, middle) if shows(middle) else (middle, high)
        return ceil(high * self.rows)

    def bearable(self, margin: float, confidence: float, power: float) -> float | None:
        """The largest share of rows that one of two equally good models may lose altogether, and the other as many, so
        that the margin is shown with this power; None if it is not shown even by identical answers."""
        whole = self.unseen_square / UNSEEN * self.units
        low, high = -1.0, 1.0
        for _ in range(40):
            middle = max((low + high) / 2, 0.0)
            same = replace(self, value=0.0, square=middle * whole, cube=0.0)
            shown = same.upper(confidence) + _NORMAL.inv_cdf(power) * sqrt(same.square) / same.rows <= margin
            if not shown and not middle:
                return None
            low, high = (middle, high) if shown else (low, middle)
        return low

    def _with(self, times: float) -> StudentisedLoss:
        """The same with so many times the rows."""
        scaled = {name: times * getattr(self, name) for name in ("rows", "units", "square", "cube")}
        return replace(self, **scaled)

    def _skew(self, sign: int) -> float:
        """Skewness of the loss with unseen rows that are lost (1) or gained (-1); 0 if negative."""
        spread = sqrt(self.square + self.unseen_square)
        return max(sign * self.cube + self.unseen_cube, 0.0) / spread**3

    def _p(self, distance: float, sign: int) -> float:
        """p-value of a limit as far from the loss as `distance`: the inverse of `_reach`."""
        if self.units < FEWEST:
            return 1.0
        third, freedom = self._skew(sign) / 3, self.units - 1
        t = distance / self.error - third / 2
        if third > 1e-9:
            t = (sqrt(max(1 + 4 * third * t, 0.0)) - 1) / (2 * third)
        # Student's distribution by the normal one (Abramowitz and Stegun 1964, 26.7.8).
        return _NORMAL.cdf(-t * (1 - 0.25 / freedom) / sqrt(1 + t * t / (2 * freedom)))

    def _reach(self, confidence: float, sign: int) -> float:
        """Distance from the loss to its limit."""
        if self.units < FEWEST:
            return inf
        z, freedom = _NORMAL.inv_cdf(confidence), self.units - 1
        t = z / sqrt((1 - 0.25 / freedom) ** 2 - z * z / (2 * freedom))
        return self.error * (t + self._skew(sign) * (2 * t * t + 1) / 6)


def loss_of(model: Estimate, reference: Estimate, documents: np.ndarray | None = None) -> StudentisedLoss:
    """The loss of `model` against `reference`, from estimates on the same rows; a document's rows are one unit."""
    differences, worth = reference.influence - model.influence, reference.worth
    rows = len(differences)
    if documents is not None:
        _, place = np.unique(documents, return_inverse=True)
        differences, worth = (np.bincount(place, weights=part) for part in (differences, worth))
    worth = worth[worth > 0]
    units = len(worth)
    if not units:
        return StudentisedLoss(reference.value - model.value, rows, 0, 0.0, 0.0, 0.0, 0.0)
    return StudentisedLoss(
        reference.value - model.value, rows, units,
        float((differences**2).sum() * units / max(units - 1, 1)), float((differences**3).sum()),
        float(UNSEEN * (worth**2).mean()), float(UNSEEN * (worth**3).mean()),
    )  # fmt: skip
