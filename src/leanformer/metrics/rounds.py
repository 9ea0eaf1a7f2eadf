"""Figures measured in rounds, each contestant once per round: ratios within a round, their median, and their noise.

If the machine slows down for a while, it does so for all in that round, so ratios within a round are comparable even if
the figures themselves are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Gains below this are not worth a different choice, however sure they are.
LEAST_NOISE = 0.01
# With fewer rounds, all of them may agree by chance.
LEAST_ROUNDS = 7
# A gain of this size in each of a few rounds is not chance.
CLEAR_GAIN, FEW_ROUNDS = 1.25, 3
_RESAMPLES = 2000


@dataclass(frozen=True)
class Ratio:
    """Ratio of two figures over shared rounds: the median, its bootstrap interval, and the number of rounds."""

    median: float
    low: float
    high: float
    rounds: int


def median_interval(values: Sequence[float] | np.ndarray, level: float = 0.95, seed: int = 13) -> tuple[float, float]:
    """Bootstrap interval of the median of `values` (percentile method); of two or three values their range."""
    array = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(array), (_RESAMPLES, len(array)))
    low, high = np.quantile(np.median(array[drawn], axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def shared_ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Our figure over theirs, for each round that both have (`ours`, `theirs`: round -> figure)."""
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]


def ratio_of(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Ratio | None:
    """Our figure over theirs with a 95 % interval; None if they share no round."""
    ratios = shared_ratios(ours, theirs)
    if not ratios:
        return None
    return Ratio(float(np.median(ratios)), *median_interval(ratios), len(ratios))


def surely_greater(ratios: Sequence[float], comparisons: int = 1) -> bool:
    """Whether ratios of `LEAST_ROUNDS` or more rounds are surely above 1, with a median gain above `LEAST_NOISE`.

    The confidence level is corrected for the number of `comparisons` (Bonferroni).
    """
    if len(ratios) < LEAST_ROUNDS:
        return False
    low, _ = median_interval(np.log(ratios), 1 - 0.05 / max(1, comparisons))
    return math.log(float(np.median(ratios))) > LEAST_NOISE and low > 0


def clearly_greater(ratios: Sequence[float]) -> bool:
    """Whether the ratio was `CLEAR_GAIN` or more in each of at least `FEW_ROUNDS` rounds."""
    return len(ratios) >= FEW_ROUNDS and min(ratios) >= CLEAR_GAIN
