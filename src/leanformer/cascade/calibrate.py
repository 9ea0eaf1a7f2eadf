"""Thresholds for a promised loss, by fixed-sequence testing.

The rows are split at random into two parts. The smaller part fixes everything that may be chosen freely: temperatures,
the measure of confidence, and a walk, that is, a sequence of thresholds from strict to loose. On the other part the
walk is tested step by step: the hypothesis is that a cascade with these thresholds breaks the promise, and its p-value
is exact (`promise`). The walk continues while the hypothesis is rejected and stops at the first that is not; the last
rejected one is taken. As the sequence was fixed in advance, the probability that a broken promise is made is at most
one minus the confidence, however long the walk: Bauer 1991 (Statistics in Medicine 10), used for predictors by
Angelopoulos et al. 2021 ("Learn then Test").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from leanformer.cascade.confidence import MEASURES, area_under_risk, confidence
from leanformer.cascade.plan import Plan
from leanformer.cascade.promise import Promise
from leanformer.errors import LeanformerError
from leanformer.metrics.calibration import fit_temperature
from leanformer.metrics.paired import Paired

STEPS = 100
LEAST_FIT_ROWS = 10


@dataclass(frozen=True)
class Calibration:
    """The result of a calibration.

    Attributes:
        promise: the requested promise.
        plan: the loosest thresholds shown to keep it; None if not even the strictest were.
        rows, fit_rows: number of rows in the test, and of rows used before it to fix the walk.
        counts: of the plan compared with the last member on the calibration rows; of the strictest step if there is no
            plan.
        p: p-value of those counts.
        answered: share of the calibration rows that each member answers under the plan; empty without a plan.
        steps: number of thresholds tested.
    """

    promise: Promise
    plan: Plan | None
    rows: int
    fit_rows: int
    counts: Paired
    p: float
    answered: tuple[float, ...]
    steps: int

    @property
    def limit(self) -> float:
        """Upper limit of the loss, a share, given the counts; slow to compute."""
        return self.promise.limit(self.counts)

    def to_json(self) -> dict[str, Any]:
        value = asdict(self) | {"limit": self.limit}
        return value | {"plan": None if self.plan is None else self.plan.to_json(), "answered": list(self.answered)}


def parted(rows: int, fit_share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the fit rows and of the calibration rows, split at random.

    Raises `LeanformerError` for too few rows.
    """
    if not 0 < fit_share < 1:
        raise LeanformerError(f"the share of rows that fix the walk lies between 0 and 1, not at {fit_share}")
    fit = max(LEAST_FIT_ROWS, round(fit_share * rows))
    if rows <= fit:
        raise LeanformerError(
            f"{rows} rows, of which {fit} fix temperatures and the walk: none is left to calibrate on\n"
            "  remedy: give more labelled rows that the models were not trained on"
        )
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[:fit]), np.sort(order[fit:])


def calibrate(
    values: Sequence[np.ndarray],
    labels: np.ndarray | None,
    promise: Promise,
    fit: np.ndarray,
    held_out: np.ndarray,
    *,
    measure: str = "probability",
    threshold: float | None = None,
) -> Calibration:
    """Find the loosest thresholds that keep a promise.

    Args:
        values: logits `[n, classes]` of each member, the smallest first.
        labels: `[n]`; None if the promise is of agreement and there are none.
        fit, held_out: indices of rows, disjoint (see `parted`).
        measure: one of `confidence.MEASURES`, or "auto": the one that ranks best on the fit rows.
        threshold: test only this one; it must have been chosen without looking at the rows.

    Raises `LeanformerError` if the promise is of accuracy and there are no labels.
    """
    if promise.of == "accuracy" and labels is None:
        raise LeanformerError(
            "a promise of accuracy needs labelled rows\n  remedy: give labels, or promise agreement, which needs none"
        )
    reference = values[-1].argmax(axis=1)
    truth = reference if labels is None or promise.of == "agreement" else labels
    known = reference if labels is None else labels
    temperatures = tuple(fit_temperature(value[fit], known[fit]) for value in values[:-1])
    if measure == "auto":
        measure = best_measure(values[0][fit], truth[fit], reference[fit], temperatures[0])
    sure = [confidence(value, measure, temperature) for value, temperature in zip(values, temperatures, strict=False)]
    answers = np.stack([value.argmax(axis=1) for value in values])[:, held_out]
    kept, truths = np.stack([confidences[held_out] for confidences in sure]), known[held_out]
    harms = [_Harm.of(answer, answers[-1], truths) for answer in answers[:-1]]
    taken: float | None = None
    counts: Paired | None = None
    steps = 0
    steps_to_take = (
        walk(np.concatenate([confidences[fit] for confidences in sure])) if threshold is None else [threshold]
    )
    for at in steps_to_take:
        step = _counts(harms, kept, at)
        steps += 1
        if not promise.is_shown(step):
            counts = counts or step
            break
        taken, counts = at, step
    assert counts is not None
    plan, answered = None, np.zeros(0)
    if taken is not None:
        plan = Plan(measure, temperatures, (taken,) * len(temperatures))
        answered = np.bincount(plan.route([value[held_out] for value in values]), minlength=len(values)) / len(held_out)
    return Calibration(
        promise, plan, len(held_out), len(fit), counts, promise.p_value(counts), tuple(answered.tolist()), steps
    )  # fmt: skip


def walk(sure: np.ndarray, steps: int = STEPS) -> list[float]:
    """Thresholds from strict to loose, reached by 1/steps, 2/steps, ... of the confidences `sure` `[n]`, and 0.

    One threshold serves all members: after temperature scaling, each member's confidence means the same.
    """
    shares = np.arange(1, steps) / steps
    values = np.quantile(sure, 1 - shares, method="lower")
    return [*dict.fromkeys(float(value) for value in values if value > 0), 0.0]


def best_measure(values: np.ndarray, truth: np.ndarray, reference: np.ndarray, temperature: float) -> str:
    """The measure that best ranks last the rows which the first member has wrong and the last one right."""
    lost = (values.argmax(axis=1) != truth) & (reference == truth)
    return min(MEASURES, key=lambda measure: area_under_risk(confidence(values, measure, temperature), lost))


@dataclass(frozen=True)
class _Harm:
    """The effect on each row `[n]` if a member answers it instead of the last: see `metrics.paired.Paired`."""

    lost: np.ndarray
    gained: np.ndarray
    changed: np.ndarray

    @classmethod
    def of(cls, answers: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> _Harm:
        ours, theirs = answers == labels, reference == labels
        return cls(theirs & ~ours, ours & ~theirs, answers != reference)


def _counts(harms: Sequence[_Harm], sure: np.ndarray, threshold: float) -> Paired:
    """Counts against the last member with this threshold for all others; confidences `sure` `[members - 1, n]`."""
    left = np.ones(sure.shape[1], dtype=bool)
    lost = gained = changed = 0
    for harm, confidences in zip(harms, sure, strict=True):
        stands = left & (confidences >= threshold)
        lost += int(np.count_nonzero(harm.lost & stands))
        gained += int(np.count_nonzero(harm.gained & stands))
        changed += int(np.count_nonzero(harm.changed & stands))
        left &= ~stands
    return Paired(sure.shape[1], lost, gained, changed)


def everything_to_the_last(measure: str, members: int) -> Plan:
    """The plan that cannot break any promise: only the last member is asked."""
    return Plan("probability" if measure == "auto" else measure, (1.0,) * (members - 1), (None,) * (members - 1))
