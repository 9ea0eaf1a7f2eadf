"""The plan of a cascade: which members see a text, and when an answer is confident enough to be final."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.cascade.confidence import MEASURES, confidence

MOST_MEMBERS = 8


@dataclass(frozen=True)
class Plan:
    """How rows are routed through the members of a cascade, the smallest first.

    Attributes:
        measure: one of `confidence.MEASURES`.
        temperatures: for each member but the last, the divisor of its logits before confidence is measured.
        thresholds: for each member but the last, the confidence from which its answer is final; None: it is not asked.

    Raises `ValueError` for invalid values.
    """

    measure: str
    temperatures: tuple[float, ...]
    thresholds: tuple[float | None, ...]

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"the measure of confidence is one of {', '.join(MEASURES)}, not {self.measure!r:.40}")
        if not 1 <= len(self.thresholds) < MOST_MEMBERS or len(self.temperatures) != len(self.thresholds):
            raise ValueError(f"{len(self.thresholds)} thresholds and {len(self.temperatures)} temperatures")
        if not all(math.isfinite(temperature) and temperature > 0 for temperature in self.temperatures):
            raise ValueError(f"temperatures are above 0, not {self.temperatures}")
        if not all(threshold is None or 0 <= threshold <= 1 for threshold in self.thresholds):
            raise ValueError(f"thresholds lie between 0 and 1, not {self.thresholds}")

    @property
    def members(self) -> int:
        return len(self.thresholds) + 1

    def asked(self, member: int) -> bool:
        """Whether a member sees any text at all."""
        return member == self.members - 1 or self.thresholds[member] is not None

    def stands(self, member: int, values: np.ndarray) -> np.ndarray:
        """Which of a member's answers are final, `[n]`, given its logits `[n, classes]`; all of the last one's are."""
        if member == self.members - 1:
            return np.ones(len(values), dtype=bool)
        threshold = self.thresholds[member]
        if threshold is None:
            return np.zeros(len(values), dtype=bool)
        return np.asarray(confidence(values, self.measure, self.temperatures[member]) >= threshold)

    def route(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Which member answers each row, `[n]`, given the logits `[n, classes]` of every member on every row."""
        answering = np.full(len(values[-1]), self.members - 1)
        for member in reversed(range(self.members - 1)):
            answering[self.stands(member, values[member])] = member
        return answering

    def to_json(self) -> dict[str, Any]:
        return {
            "measure": self.measure,
            "temperatures": list(self.temperatures),
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """Raises `ValueError`, `KeyError` or `TypeError` if `value` is not a plan."""
        return cls(
            measure=value["measure"],
            temperatures=tuple(float(temperature) for temperature in value["temperatures"]),
            thresholds=tuple(None if threshold is None else float(threshold) for threshold in value["thresholds"]),
        )
