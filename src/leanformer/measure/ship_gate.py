"""The ship gate: has this model been shown to lose no more than is allowed?

Every check is a test whose null hypothesis is that the bound is broken, at the stated confidence. The model ships only
if all are rejected, so testing several bounds needs no correction: whichever bound is truly broken, the probability of
shipping is at most that of its own test (intersection-union, Berger 1982).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil, log, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from leanformer.errors import LeanformerError
from leanformer.metrics.binomial import at_most, upper_limit
from leanformer.metrics.noninferiority import fewest_texts, loss_limit, noninferiority_p, texts_needed
from leanformer.metrics.paired import Paired, compare

SHOWN, UNDECIDED, BROKEN = "shown", "undecided", "broken"
POWER = 0.8


@dataclass(frozen=True)
class Bounds:
    """Bounds on the loss, fixed before the answers are looked at.

    Attributes:
        max_drop: most points (hundredths) of accuracy that may be lost against the reference.
        confidence: least probability that a model beyond a bound is not shipped, 0.5 to 0.999.
        max_flips: highest percentage of answers that may differ from the reference's; None sets no bound.
        slices: name of a grouping -> most points that each of its groups may lose.
    """

    max_drop: float = 1.0
    confidence: float = 0.95
    max_flips: float | None = None
    slices: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, points in [("max_drop", self.max_drop), *self.slices.items()]:
            if not 0 < points < 100:
                raise LeanformerError(
                    f"the bound of {what} is a number of points between 0 and 100, not {points}\n  remedy: no finite "
                    "number of texts shows a loss of exactly 0; say how much may be lost, such as 0.5"
                )
        if not 0.5 <= self.confidence <= 0.999:
            raise LeanformerError(f"the confidence lies between 0.5 and 0.999, not at {self.confidence}")
        if self.max_flips is not None and not 0 < self.max_flips < 100:
            raise LeanformerError(
                f"the bound of changed answers lies between 0 and 100 per cent, not at {self.max_flips}"
            )


@dataclass(frozen=True)
class Check:
    """One bound and the evidence of the texts; shares are 0 to 1.

    Attributes:
        name: what is bounded: "accuracy", "changed answers", or a grouping and its group.
        status: "shown" (within the bound), "broken" (shown to be beyond it), or "undecided".
        n: texts. lost, gained: right in the reference alone, in the model alone. changed: answers that differ.
        value: the observed loss, or the share of changed answers.
        limit: its one-sided upper limit at the requested confidence.
        bound: the most that is allowed.
        p: p-value of the hypothesis that the bound is broken.
        more: about how many more texts like these would show it with a power of 80 % if the model's true figures are
            those observed; None if it is shown, or if the value is not below the bound.
    """

    name: str
    status: str
    n: int
    lost: int
    gained: int
    changed: int
    value: float
    limit: float
    bound: float
    p: float
    more: int | None


@dataclass(frozen=True)
class Verdict:
    """All checks; `ships` if every check is "shown"."""

    bounds: Bounds
    checks: tuple[Check, ...]

    @property
    def ships(self) -> bool:
        return all(check.status == SHOWN for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        bounds = asdict(self.bounds) | {"slices": dict(self.bounds.slices)}
        return {"ships": self.ships, "bounds": bounds, "checks": [asdict(check) for check in self.checks]}


def judge(
    predicted: np.ndarray,
    reference: np.ndarray,
    labels: np.ndarray,
    bounds: Bounds,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Verdict:
    """Test every bound on the classes `[n]` of the model and of the reference.

    `groups` holds the group of each row for every grouping that `bounds.slices` names.
    """
    paired = compare(predicted, reference, labels)
    checks = [_loss_check("accuracy", paired, bounds.max_drop / 100, bounds.confidence)]
    if bounds.max_flips is not None:
        checks.append(_flips_check(paired, bounds.max_flips / 100, bounds.confidence))
    for grouping, points in bounds.slices.items():
        names = np.asarray((groups or {})[grouping], dtype=object)
        for name in _in_order(names.tolist()):
            rows = names == name
            part = compare(predicted[rows], reference[rows], labels[rows])
            checks.append(_loss_check(f"{grouping} {name}", part, points / 100, bounds.confidence))
    return Verdict(bounds, tuple(checks))


def forecast(n: int, bounds: Bounds, groups: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """What this number of texts can show, one sentence per bound, to be reported before any answer is looked at."""
    said = [_outlook("accuracy", n, bounds.max_drop, bounds.confidence)]
    if bounds.max_flips is not None:
        fewest = _fewest_for_flips(bounds.max_flips / 100, bounds.confidence)
        able = "can" if n >= fewest else "cannot"
        said.append(
            f"changed answers: {n} texts {able} show at most {bounds.max_flips:g} % "
            f"(with none changed, {fewest} are enough)"
        )
    for grouping, points in bounds.slices.items():
        names = list((groups or {})[grouping])
        for name in _in_order(names):
            said.append(_outlook(f"{grouping} {name}", names.count(name), points, bounds.confidence))
    return said


def bearable(n: int, margin: float, confidence: float) -> float | None:
    """The largest share of texts on which two equally good models may differ, so that n texts still show the margin
    with a power of 80 %; None if n is too small even for identical answers."""
    if n < fewest_texts(margin, confidence):
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        needed = texts_needed(0.0, middle, margin, confidence=confidence, power=POWER)
        low, high = (middle, high) if needed is not None and needed <= n else (low, middle)
    return low


def _in_order(names: list[str]) -> list[str]:
    """The distinct names; those that begin with a number, such as lengths, in numerical order."""
    return sorted(set(names), key=lambda name: (int(first) if (first := name.split(" ")[0]).isdigit() else -1, name))


def _outlook(name: str, n: int, points: float, confidence: float) -> str:
    share = bearable(n, points / 100, confidence)
    if share is None:
        return (
            f"{name}: {n} texts cannot show a loss below {points:g} points, not even if no answer changed: that takes "
            f"{fewest_texts(points / 100, confidence)}; only a model that is better than the reference could ship"
        )
    return (
        f"{name}: {n} texts can show a loss below {points:g} points; for an equally good model they do so four times "
        f"in five if the two differ in rightness on at most {100 * share:.1f} % of the texts"
    )


def _loss_check(name: str, paired: Paired, margin: float, confidence: float) -> Check:
    n, lost, gained = paired.n, paired.lost, paired.gained
    p = noninferiority_p(lost, gained, n, margin)
    more = None
    if p <= 1 - confidence:
        status = SHOWN
    else:
        status = BROKEN if noninferiority_p(gained, lost, n, -margin) <= 1 - confidence else UNDECIDED
        needed = texts_needed(paired.loss, (lost + gained) / n, margin, confidence=confidence, power=POWER)
        more = None if needed is None else max(1, needed - n)
    limit = loss_limit(lost, gained, n, confidence)
    return Check(name, status, n, lost, gained, paired.changed, paired.loss, limit, margin, p, more)


def _flips_check(paired: Paired, bound: float, confidence: float) -> Check:
    n, changed = paired.n, paired.changed
    share, p, more = changed / n, at_most(changed, n, bound), None
    if p <= 1 - confidence:
        status = SHOWN
    else:
        beyond = 1 - at_most(changed - 1, n, bound) if changed else 1.0
        status = BROKEN if beyond <= 1 - confidence else UNDECIDED
        if share < bound:
            z, power = NormalDist().inv_cdf(confidence), NormalDist().inv_cdf(POWER)
            spread = z * sqrt(bound * (1 - bound)) + power * sqrt(share * (1 - share))
            needed = max(_fewest_for_flips(bound, confidence), ceil((spread / (bound - share)) ** 2))
            more = max(1, needed - n)
    limit = upper_limit(changed, n, confidence)
    return Check(
        "changed answers", status, n, paired.lost, paired.gained, changed, share, limit, bound, p, more
    )  # fmt: skip


def _fewest_for_flips(bound: float, confidence: float) -> int:
    return ceil(log(1 - confidence) / log(1 - bound))
