"""Figures of a model with what each row contributes to them, so that the difference of two models can be tested.

The influence of a row is the derivative of the figure with respect to the row's weight, times the number of rows
(Hampel 1974). Its mean is 0, and the variance of the figure is about the mean square divided by the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A figure of n rows; the higher the better (an error is negative).

    Attributes:
        value: the figure.
        influence: of each row, `[n]`.
        worth: what a row that is answered perfectly contributes beyond a random answer, times n, `[n]`.
        right: how much is right in each row, `[n]`; None if answers are not right or wrong.
        counted: which rows count `[n]`, if the figure is the share of them that is right; otherwise None.
        points: whether the figure is a share or a correlation, and is reported in hundredths.
    """

    value: float
    influence: np.ndarray
    worth: np.ndarray
    right: np.ndarray | None = None
    counted: np.ndarray | None = None
    points: bool = True


def ratio(right: np.ndarray, total: np.ndarray, perfect: np.ndarray) -> Estimate:
    """The mean over columns of the sum of `right` divided by the sum of `total`, such as an F1 or a recall.

    Args:
        right, total: `[n, columns]`, or `[n]` for one column.
        perfect: `right` of a perfect answer. Columns in which it is 0 everywhere are left out, because no answer to
            them could be lost; if no column is left, the figure is 0.
    """
    right, total, perfect = (np.asarray(part, np.float64).reshape(len(right), -1) for part in (right, total, perfect))
    there = perfect.any(axis=0)
    columns, amount = max(int(there.sum()), 1), right.sum(axis=1)
    right, total, perfect = right[:, there], total[:, there], perfect[:, there]
    sums = total.sum(axis=0)
    values, scale = right.sum(axis=0) / sums, len(right) / (columns * sums)
    is_share = right.shape[1] == 1 and np.array_equal(total, perfect) and total.max(initial=0) <= 1
    return Estimate(
        float(values.sum() / columns), (right - values * total) @ scale, perfect @ scale, amount,
        total[:, 0] > 0 if is_share else None,
    )  # fmt: skip


def share(right: np.ndarray) -> Estimate:
    """The share of rows `[n]` that are right."""
    ones = np.ones(len(right))
    return ratio(right, ones, ones)


def f1_estimate(right: np.ndarray, given: np.ndarray, true: np.ndarray) -> Estimate:
    """The mean F1 of the columns, from numbers `[n, columns]`, or `[n]`, of what is right, given and true."""
    right, given, true = (np.asarray(part, np.float64) for part in (right, given, true))
    return ratio(2 * right, given + true, 2 * true)


def error_estimate(predicted: np.ndarray, scores: np.ndarray) -> Estimate:
    """The mean absolute error of scores `[n]`, negative.

    A random answer is the score of another row; `worth` is the root mean square of its error.
    """
    errors = -np.abs(predicted - scores)
    value = float(errors.mean())
    worth = np.sqrt((scores - scores.mean()) ** 2 + scores.var())
    return Estimate(value, errors - value, worth, points=False)


def rank_estimate(predicted: np.ndarray, scores: np.ndarray) -> Estimate:
    """Spearman's correlation of predicted and true scores `[n]`; ties share their mean rank; 0 if either is constant.

    A row moves the ranks of all rows above it, besides contributing its own product (Croux and Dehon 2010). `worth` is
    the root mean square of what is lost by a row that is given the answer of another one.
    """
    (x, above_x), (y, above_y) = _centred_ranks(predicted), _centred_ranks(scores)
    spread_x, spread_y = float((x * x).mean()), float((y * y).mean())
    worth = np.sqrt(y * y * (y * y + spread_y)) / spread_y if spread_y else np.zeros(len(y))
    if not spread_x or not spread_y:
        return Estimate(0.0, np.zeros(len(y)), worth)
    scale = np.sqrt(spread_x * spread_y)
    value = float((x * y).mean() / scale)
    product = x * y + above_x(y) + above_y(x)
    squares = (x * x + 2 * above_x(x)) / spread_x + (y * y + 2 * above_y(y)) / spread_y
    influence = product / scale - value / 2 * squares
    return Estimate(value, influence - influence.mean(), worth)


def _centred_ranks(values: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Ranks as shares minus 1/2 `[n]`; and a function that gives, for each row, the sum of its argument `[n]` over rows
    with a larger value, and half of it over rows with an equal one, divided by n."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    n = len(values)

    def above(numbers: np.ndarray) -> np.ndarray:
        sums = np.bincount(place, weights=numbers, minlength=len(counts))
        return np.asarray(((sums.sum() - np.cumsum(sums) + sums / 2) / n)[place])

    return np.asarray(((np.cumsum(counts) - counts / 2) / n - 0.5)[place]), above
