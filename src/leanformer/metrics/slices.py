"""Groups of rows by length, by class or by any column, and the scores in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.metrics.paired import Paired, compare, loss_interval


@dataclass(frozen=True)
class Slice:
    """One group: accuracy of model and reference in it, the counts, and a 95 % paired interval of the loss."""

    name: str
    n: int
    quality: float
    reference: float
    lost: int
    gained: int
    changed: int
    loss_low: float
    loss_high: float

    @property
    def loss(self) -> float:
        return (self.lost - self.gained) / self.n


def length_groups(lengths: Sequence[int], *, buckets: int = 4) -> tuple[str, ...]:
    """The name of each row's length bucket ("1 to 9", ...): about equally many rows in each, equal lengths together.

    Edges are quantiles of these rows, so the buckets are the same for every model that answers them.
    """
    values = np.asarray(lengths)
    edges = sorted(set(np.quantile(values, np.linspace(0, 1, buckets + 1)[1:], method="inverted_cdf").tolist()))
    which = np.searchsorted(edges, values)
    names = []
    for i, edge in enumerate(edges):
        first = int(values.min()) if i == 0 else int(edges[i - 1]) + 1
        names.append(f"{first} to {int(edge)}" if first < edge else f"{int(edge)}")
    return tuple(names[i] for i in which)


def slices(
    predicted: np.ndarray, reference: np.ndarray, labels: np.ndarray, groups: Sequence[str]
) -> tuple[Slice, ...]:
    """Each group that occurs, in order of its first row. All arguments have one entry per row."""
    found = []
    names = np.asarray(groups, dtype=object)
    for name in dict.fromkeys(groups):
        rows = names == name
        paired = compare(predicted[rows], reference[rows], labels[rows])
        found.append(_slice(name, paired, float((predicted[rows] == labels[rows]).mean())))
    return tuple(found)


def _slice(name: str, paired: Paired, quality: float) -> Slice:
    low, high = loss_interval(paired)
    return Slice(
        name=name,
        n=paired.n,
        quality=quality,
        reference=quality + paired.loss,
        lost=paired.lost,
        gained=paired.gained,
        changed=paired.changed,
        loss_low=low,
        loss_high=high,
    )
