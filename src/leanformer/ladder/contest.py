"""Which of several rungs may be the fastest, by figures of interleaved rounds: the best and those within its noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.ladder.eligible import Standing, eligible
from leanformer.measure.turns import Figures
from leanformer.metrics.rounds import LEAST_ROUNDS, clearly_greater, median_interval, shared_ratios, surely_greater

# The decision is checked again after every further round, which gives chance more than one try.
_LOOKS = 4
# Rungs whose ratio surely is within this of 1 count as equal; more rounds would not separate them.
_ALIKE = 0.02


def fastest(figures: Mapping[int, Mapping[int, float]]) -> int:
    """The best, by the median ratio over the rounds in which two were both timed; ties go to the first.

    Medians over each rung's own rounds would mislead: if the machine has become slower, a rung that is timed in further
    rounds would seem slower than those that dropped out.

    Args:
        figures: number of the rung -> round -> figure; higher is better.
    """
    best, *others = sorted(figures)
    for other in others:
        ratios = shared_ratios(figures[other], figures[best])
        if ratios and float(np.median(np.log(ratios))) > 0:
            best = other
    return best


def rivals_of(best: int, figures: Mapping[int, Mapping[int, float]]) -> dict[int, list[float]]:
    """The rungs that `best` is not surely faster than, with the ratios of `best` to each in the rounds of both.

    Args:
        figures: number of the rung -> round -> figure; higher is better.
    """
    comparisons = _LOOKS * max(1, len(figures) - 1)
    ratios = {other: shared_ratios(figures[best], own) for other, own in figures.items() if other != best}
    return {
        other: values
        for other, values in ratios.items()
        if not (clearly_greater(values) or surely_greater(values, comparisons))
    }


def alike(ratios: Sequence[float]) -> bool:
    """Whether enough rounds show that two rungs differ by at most `_ALIKE`."""
    low, high = median_interval(ratios) if len(ratios) >= LEAST_ROUNDS else (0.0, np.inf)
    return low >= 1 - _ALIKE and high <= 1 + _ALIKE


@dataclass(frozen=True)
class RungContest:
    """Continues timing the eligible rungs until the choice by `goal` is sure, or surely among equals.

    Args:
        standings: of every rung, in order.
        max_drop, allow_lost: as for `choose`.
    """

    goal: str
    standings: Sequence[Standing]
    max_drop: float
    allow_lost: bool = False

    def undecided(self, figures: Sequence[Figures]) -> list[int]:
        """The numbers of the best rung and of those that may be as good; see `measure.speed.Contest`."""
        if self.goal == "size" or not any(standing.chooseable for standing in self.standings):
            return []
        members = eligible(self.standings, max_drop=self.max_drop, allow_lost=self.allow_lost).members
        by_round = {number: figures[number].by(self.goal) for number in members}
        best = fastest(by_round)
        rivals = rivals_of(best, by_round)
        return [best, *rivals] if any(not alike(ratios) for ratios in rivals.values()) else []
