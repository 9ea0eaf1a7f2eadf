"""Bounds of the ship gate, and its verdict on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any

from leanformer.errors import LeanformerError

SHOWN, UNDECIDED, BROKEN = "shown", "undecided", "broken"
CHANGED = "changed answers"


@dataclass(frozen=True)
class Bounds:
    """Bounds on the loss, fixed before the answers are looked at.

    Attributes:
        max_drop: most points (hundredths) of the form's metric that may be lost against the reference.
        confidence: least probability that a model beyond a bound is not shipped, 0.5 to 0.999.
        max_flips: highest percentage of rows whose answer may differ from the reference's; None sets no bound.
        slices: name of a grouping -> most points that each of its groups may lose.
        max_recall_drop: most points of recall that each class, label or type of entity may lose; None sets no bound.
        figures: name of a further figure of the form -> the most that it may lose, in points; of an error, in its unit.
    """

    max_drop: float = 1.0
    confidence: float = 0.95
    max_flips: float | None = None
    slices: Mapping[str, float] = field(default_factory=dict)
    max_recall_drop: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        recall = [] if self.max_recall_drop is None else [("max_recall_drop", self.max_recall_drop)]
        for what, points in [("max_drop", self.max_drop), *recall, *self.slices.items()]:
            if not 0 < points < 100:
                raise LeanformerError(
                    f"the bound of {what} is a number of points between 0 and 100, not {points}\n  remedy: no finite "
                    "number of texts shows a loss of exactly 0; say how much may be lost, such as 0.5"
                )
        for name, most in self.figures.items():
            if not 0 < most < inf:
                raise LeanformerError(
                    f"the bound of {name} is a positive number, not {most}\n  remedy: no finite number of texts shows "
                    "a loss of exactly 0; say how much may be lost, such as 0.5"
                )
        if not 0.5 <= self.confidence <= 0.999:
            raise LeanformerError(f"the confidence lies between 0.5 and 0.999, not at {self.confidence}")
        if self.max_flips is not None and not 0 < self.max_flips < 100:
            raise LeanformerError(
                f"the bound of changed answers lies between 0 and 100 per cent, not at {self.max_flips}"
            )

    @property
    def level(self) -> float:
        """Largest p-value that shows a bound."""
        return 1 - self.confidence


@dataclass(frozen=True)
class Check:
    """One bound and the evidence of the rows; shares and correlations are at most 1, errors in their own unit.

    Attributes:
        name: what is bounded: a figure, "recall of" a class, "changed answers", or a grouping and its group.
        status: "shown" (within the bound), "broken" (shown to be beyond it), or "undecided".
        n: rows that count. lost, gained: those in which the reference, or the model, has more right; None for scores.
        changed: rows whose answers differ; None for scores.
        value: the observed loss, or the share of changed answers.
        limit: its one-sided upper limit at the requested confidence; None if there are too few rows for any.
        bound: the most that is allowed.
        p: p-value of the hypothesis that the bound is broken. p_holm: the same, corrected for the number of checks.
        p_broken: corrected p-value of the hypothesis that the bound holds; 1 if it is shown by itself.
        more: about how many more rows like these would show it with a power of 80 % if the model's true figures are
            those observed; None if it is shown, or if the value is not below the bound.
        model, reference: the figure of both (an error is negative); of changed answers, the share that is the same.
        points: whether `value`, `limit` and `bound` are reported in hundredths. exact: whether the test is exact.
    """

    name: str
    status: str
    n: int
    lost: int | None
    gained: int | None
    changed: int | None
    value: float
    limit: float | None
    bound: float
    p: float
    more: int | None
    p_holm: float = 1.0
    p_broken: float = 1.0
    model: float = 0.0
    reference: float = 0.0
    points: bool = True
    exact: bool = True


@dataclass(frozen=True)
class Figure:
    """A figure without a bound, of both models, and the loss with its two-sided interval (None for too few rows)."""

    name: str
    model: float
    reference: float
    loss: float
    low: float | None
    high: float | None
    points: bool


@dataclass(frozen=True)
class Verdict:
    """All checks; `ships` if each is shown by itself. `figures` are the others of the form."""

    bounds: Bounds
    checks: tuple[Check, ...]
    figures: tuple[Figure, ...] = ()

    @property
    def ships(self) -> bool:
        return all(check.p <= self.bounds.level for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        bounds = asdict(replace(self.bounds, slices=dict(self.bounds.slices), figures=dict(self.bounds.figures)))
        lists = {name: [asdict(entry) for entry in getattr(self, name)] for name in ("checks", "figures")}
        return {"ships": self.ships, "bounds": bounds, **lists}
