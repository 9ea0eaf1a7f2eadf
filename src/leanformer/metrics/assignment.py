"""Matching labels to columns: the assignment that agrees best, and whether another one might be right."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log

import numpy as np

from leanformer.metrics.binomial import at_most

# Highest probability, over all assignments, that random answers pass for an assignment that agrees.
_CHANCE = 1e-3
# For two labels: highest p-value at which the order of the two counts as clear.
_EXCHANGED = 0.05


@dataclass(frozen=True)
class Assignment:
    """The best assignment of labels to columns.

    Attributes:
        columns: the column of each label.
        right: how often the column of a label was chosen where the label applies; `trials`: how often labels apply.
        expected: expected value of `right` by chance, for the same frequencies of labels and columns.
        runner_up: `right` of the best assignment with two labels exchanged, or one moved to a column without a label.
        unclear: indices of labels for which it is not clear which of two columns belongs to them.
    """

    columns: tuple[int, ...]
    right: int
    trials: int
    expected: float
    runner_up: int
    unclear: tuple[int, ...]

    def beats_chance(self, columns: int) -> bool:
        """Whether random answers would hardly ever agree so well with any of the possible assignments.

        By Chernoff's bound for the binomial, over all assignments of the labels to `columns` columns.
        """
        if not 0 < self.right > self.expected:
            return False
        ways = lgamma(columns + 1) - lgamma(columns - len(self.columns) + 1)
        return self.trials * _divergence(self.right / self.trials, self.expected / self.trials) >= ways - log(_CHANCE)


def assign(true: np.ndarray, given: np.ndarray) -> Assignment:
    """The assignment of labels to columns that agrees best.

    Args:
        true: whether each label applies, booleans `[n, labels]`.
        given: whether each column was chosen, booleans `[n, columns]`; at least as many columns as labels.
    """
    true, given = true.astype(np.float64), given.astype(np.float64)
    labels = true.shape[1]
    together = true.T @ given
    by_chance = np.outer(true.sum(axis=0), given.sum(axis=0)) / max(len(true), 1)
    columns = best_assignment(together - by_chance)
    own = given[:, columns]
    right = true * own
    # For each two labels: rows that fit only one order of the two, and rows that fit only the other.
    kept = right.T @ ((1 - true) * (1 - own))
    lost = (true * (1 - own)).T @ ((1 - true) * own)
    for_it, against = kept + kept.T, lost + lost.T
    np.fill_diagonal(for_it, np.inf)
    free = np.setdiff1d(np.arange(given.shape[1]), columns)
    if len(free):
        for_it = np.hstack([for_it, right.T @ (1 - given[:, free])])
        against = np.hstack([against, (true * (1 - own)).T @ given[:, free]])
    unclear = [label for label in range(labels) if not _all_clear(for_it[label], against[label])]
    least = float((for_it - against).min()) if for_it.size > 1 else 0.0
    total = int(right.sum())
    return Assignment(
        columns=tuple(int(column) for column in columns),
        right=total,
        trials=int(true.sum()),
        expected=float(by_chance[np.arange(labels), columns].sum()),
        runner_up=int(total - least) if np.isfinite(least) else total,
        unclear=tuple(unclear),
    )


def _all_clear(for_it: np.ndarray, against: np.ndarray) -> bool:
    """Whether a label's column is clear against each other column, by a sign test."""
    return all(
        np.isinf(ours) or at_most(int(theirs), int(ours + theirs), 0.5) <= _EXCHANGED
        for ours, theirs in zip(for_it, against, strict=True)
    )


def best_assignment(gain: np.ndarray) -> np.ndarray:
    """A distinct column for each row of `[rows, columns]`, with the largest sum (Kuhn 1955; columns >= rows).

    By shortest augmenting paths, in O(rows^2 columns). Raises `ValueError` if there are fewer columns than rows.
    """
    cost, (rows, columns) = -np.asarray(gain, dtype=np.float64), gain.shape
    if columns < rows:
        raise ValueError(f"{rows} rows for {columns} columns")
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, dtype=np.int64)  # row of each column, from 1; column 0 stands for none
    for row in range(1, rows + 1):
        owner[0], column = row, 0
        least, before = np.full(columns + 1, np.inf), np.zeros(columns + 1, dtype=np.int64)
        done = np.zeros(columns + 1, dtype=bool)
        while owner[column]:
            done[column] = True
            reduced = cost[owner[column] - 1] - of_row[owner[column]] - of_column[1:]
            better = ~done[1:] & (reduced < least[1:])
            least[1:][better], before[1:][better] = reduced[better], column
            following = int(np.where(done, np.inf, least).argmin())
            step = least[following]
            of_row[owner[done]] += step
            of_column[done] -= step
            least[~done] -= step
            column = following
        while column:
            owner[column] = owner[before[column]]
            column = int(before[column])
    found = np.zeros(rows, dtype=np.int64)
    for column in range(1, columns + 1):
        if owner[column]:
            found[owner[column] - 1] = column - 1
    return found


def _divergence(p: float, q: float) -> float:
    """Divergence of a coin with p from one with q (Kullback and Leibler 1951), in nats."""
    q = min(max(q, 1e-12), 1 - 1e-12)
    ends = p * log(p / q) if p > 0 else 0.0
    return ends + ((1 - p) * log((1 - p) / (1 - q)) if p < 1 else 0.0)
