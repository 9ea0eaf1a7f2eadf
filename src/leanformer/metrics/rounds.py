"""Figures taken in rounds, everybody once in each: ratios of the same round, their median, and what chance explains.

A machine that slows down for a while slows all who run in that round, so that ratios of the same round are comparable
where the figures themselves are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Gains below this are not worth another choice, however sure they are.
LEAST_NOISE = 0.01
# With fewer rounds, all of them may agree by chance.
LEAST_ROUNDS = 7
# A gain that each of a few rounds saw as large as this is no chance.
CLEAR_GAIN, FEW_ROUNDS = 1.25, 3
_RESAMPLES = 2000


@dataclass(frozen=True)
class Ratio:
    """Of two figures of the same rounds: the median of the ratios, its bootstrap interval, and how many rounds."""

    median: float
    low: float
    high: float
    rounds: int


def median_interval(values: Sequence[float] | np.ndarray, level: float = 0.95, seed: int = 13) -> tuple[float, float]:
    """Bootstrap interval of the median of `values` (percentile method); of two or three values the ends of them."""
    array = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(array), (_RESAMPLES, len(array)))
    low, high = np.quantile(np.median(array[drawn], axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def shared_ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Our figure over theirs, for each round (number -> figure) that both took part in."""
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]


def ratio_of(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Ratio | None:
    """Our figure over theirs with a 95 % interval; None where no round has both."""
    ratios = shared_ratios(ours, theirs)
    if not ratios:
        return None
    return Ratio(float(np.median(ratios)), *median_interval(ratios), len(ratios))


def surely_greater(ratios: Sequence[float], comparisons: int = 1) -> bool:
    """Whether ratios of `LEAST_ROUNDS` rounds or more are above 1, by more than `LEAST_NOISE` and surely so.

    Among many `comparisons` it is more likely that one of them looks better than it is (Bonferroni).
    """
    if len(ratios) < LEAST_ROUNDS:
        return False
    low, _ = median_interval(np.log(ratios), 1 - 0.05 / max(1, comparisons))
    return math.log(float(np.median(ratios))) > LEAST_NOISE and low > 0


def clearly_greater(ratios: Sequence[float]) -> bool:
    """Whether each of a few rounds or more saw a ratio of `CLEAR_GAIN` or more."""
    return len(ratios) >= FEW_ROUNDS and min(ratios) >= CLEAR_GAIN
