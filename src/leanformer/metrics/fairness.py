"""Gaps between groups given by a column; how far compression widened them is the difference of two models' gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GroupGaps:
    """Largest difference between groups, 0 to 1, each the worst over classes.

    Attributes:
        opportunity: of recall (equal opportunity, Hardt et al. 2016, for every class); None if no class has rows in two
            groups.
        parity: of the share of texts that are predicted as a class (demographic parity).
        fewest: rows of the smallest group. A gap between groups of a few dozen rows is mostly chance.
    """

    opportunity: float | None
    parity: float
    fewest: int


def group_gaps(predicted: np.ndarray, labels: np.ndarray, groups: Sequence[str]) -> GroupGaps:
    """Gaps of predicted classes `[n]`. Raises `ValueError` for fewer than two groups."""
    names = np.asarray(groups, dtype=object)
    members = [names == name for name in dict.fromkeys(groups)]
    if len(members) < 2:
        raise ValueError("gaps need at least two groups")
    opportunity: list[float] = []
    parity: list[float] = []
    for index in range(int(max(predicted.max(), labels.max())) + 1):
        given = [float((predicted[rows] == index).mean()) for rows in members]
        parity.append(max(given) - min(given))
        found = [
            float((predicted[rows & (labels == index)] == index).mean())
            for rows in members
            if (rows & (labels == index)).any()
        ]
        if len(found) > 1:
            opportunity.append(max(found) - min(found))
    return GroupGaps(max(opportunity, default=None), max(parity), min(int(rows.sum()) for rows in members))
