"""The ship gate: has this model been shown to lose no more than is allowed?

Every check is a test whose null hypothesis is that the bound is broken, at the stated confidence. The model ships only
if all are rejected, so testing several bounds needs no correction: whichever bound is truly broken, the probability of
shipping is at most that of its own test (intersection-union, Berger 1982). What is said of single bounds of a model
that does not ship is corrected for their number (Holm 1979).

Shares of right rows are tested exactly (`metrics/noninferiority.py`), all other figures of a form with a studentised
test (`metrics/studentised.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite, log, sqrt
from statistics import NormalDist

import numpy as np

from leanformer.answers.forms import form_of, recall_estimates
from leanformer.errors import LeanformerError
from leanformer.measure.bounds import BROKEN, CHANGED, SHOWN, UNDECIDED, Bounds, Check, Figure, Verdict
from leanformer.metrics.binomial import at_most, upper_limit
from leanformer.metrics.estimates import Estimate, share
from leanformer.metrics.holm import holm
from leanformer.metrics.noninferiority import ExactLoss
from leanformer.metrics.studentised import StudentisedLoss, loss_of
from leanformer.task import Task

POWER = 0.8
Loss = ExactLoss | StudentisedLoss


@dataclass(frozen=True)
class _Asked:
    """A bound that is to be tested: its name, the estimates of both models, the margin, and the rows' documents."""

    name: str
    model: Estimate
    reference: Estimate
    margin: float
    rows: np.ndarray
    documents: np.ndarray | None

    @property
    def loss(self) -> Loss:
        return loss_between(self.model, self.reference, self.documents)


def loss_between(model: Estimate, reference: Estimate, documents: np.ndarray | None = None) -> Loss:
    """The loss of estimates on the same rows: exact for the share of right rows, if each row is a unit of its own."""
    counted, ours, theirs = model.counted, model.right, reference.right
    if counted is None or ours is None or theirs is None or documents is not None:
        return loss_of(model, reference, documents)
    return ExactLoss(int((theirs > ours)[counted].sum()), int((ours > theirs)[counted].sum()), int(counted.sum()))


def judge(
    answers: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray,
    task: Task,
    bounds: Bounds,
    groups: Mapping[str, Sequence[str]] | None = None,
    documents: Sequence[str] | None = None,
) -> Verdict:
    """Test every bound on the answers of the model and of the reference.

    Args:
        answers, reference: as returned by `answers.forms.decide`. targets: as `Examples.targets`.
        groups: the group of each row for every grouping that `bounds.slices` names.
        documents: the document of each row, if rows of one document are not independent.

    Raises `LeanformerError` for a bound that answers of this form do not have.
    """
    form, changed = form_of(task), _changed(answers, reference)
    flips = form.flipped(answers, reference) is not None
    checks = []
    for asked in _asked(answers, reference, targets, task, bounds, groups, documents):
        count = int(changed[asked.rows].sum()) if flips else None
        checks.append(_flips_check(asked, bounds) if asked.name == CHANGED else _loss_check(asked, count, bounds))
    ours, theirs = form.estimates(answers, targets, task), form.estimates(reference, targets, task)
    places = None if documents is None else np.asarray(documents, dtype=str)
    others = [name for name in ours if name not in {form.metric, *bounds.figures}]
    figures = [_figure(name, ours[name], theirs[name], places, bounds.confidence) for name in others]
    return Verdict(bounds, _settled(checks, bounds.level), tuple(figures))


def forecast(
    targets: np.ndarray,
    task: Task,
    bounds: Bounds,
    groups: Mapping[str, Sequence[str]] | None = None,
    documents: Sequence[str] | None = None,
) -> list[str]:
    """What these rows can show, one sentence per bound, to be reported before any answer is looked at."""
    return [
        _flips_outlook(asked, bounds) if asked.name == CHANGED else _outlook(asked, bounds.confidence)
        for asked in _asked(targets, targets, targets, task, bounds, groups, documents)
    ]


def _asked(
    answers: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray,
    task: Task,
    bounds: Bounds,
    groups: Mapping[str, Sequence[str]] | None,
    documents: Sequence[str] | None,
) -> Iterator[_Asked]:
    form, everything = form_of(task), np.arange(len(targets))
    places = None if documents is None else np.asarray(documents, dtype=str)
    given = answers, reference

    def figures(rows: np.ndarray) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
        ours, theirs = (form.estimates(side[rows], targets[rows], task) for side in given)
        return ours, theirs

    def bound(name: str, pair: tuple[Estimate, Estimate], margin: float, rows: np.ndarray = everything) -> _Asked:
        return _Asked(name, *pair, margin, rows, None if places is None else places[rows])

    ours, theirs = figures(everything)
    yield bound(form.metric, (ours[form.metric], theirs[form.metric]), bounds.max_drop / 100)
    for name, most in bounds.figures.items():
        if name not in ours or name == form.metric:
            raise LeanformerError(
                f"no figure {name!r} can be bounded beside the {form.metric} of these answers\n"
                f"  remedy: {_one_of([other for other in ours if other != form.metric])}"
            )
        if ours[name].points and most >= 100:
            raise LeanformerError(
                f"the bound of {name} is below 100 points, not {most:g}\n  remedy: --bound '{name}=1'"
            )
        yield bound(name, (ours[name], theirs[name]), most / 100 if ours[name].points else most)
    if bounds.max_flips is not None:
        if form.flipped(*given) is None:
            raise LeanformerError(
                f"answers that are numbers do not flip, so that their changes have no bound\n"
                f"  remedy: leave --max-flips out, or bound another figure: {_one_of([*ours][1:])}"
            )
        same = ~_changed(*given)
        yield bound(CHANGED, (share(same), share(np.ones(len(same)))), bounds.max_flips / 100)
    if bounds.max_recall_drop is not None:
        found, wanted = (recall_estimates(side, targets, task) for side in given)
        if not found:
            raise LeanformerError(
                "these answers have no classes, so that no class has a recall\n  remedy: leave --max-recall-drop out"
            )
        for name in found:
            yield bound(f"recall of {name}", (found[name], wanted[name]), bounds.max_recall_drop / 100)
    for grouping, points in bounds.slices.items():
        names = np.asarray((groups or {})[grouping], dtype=object)
        for name in _in_order(names.tolist()):
            rows = np.flatnonzero(names == name)
            ours, theirs = figures(rows)
            yield bound(f"{grouping} {name}", (ours[form.metric], theirs[form.metric]), points / 100, rows)


def _one_of(names: Sequence[str]) -> str:
    return f"name one of {', '.join(names)}" if names else "there is no other"


def _changed(answers: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Whether each row's answer differs, in any of its labels or words, `[n]`."""
    return np.array([not np.array_equal(ours, theirs) for ours, theirs in zip(answers, reference, strict=True)])


def _in_order(names: list[str]) -> list[str]:
    """The distinct names; those that begin with a number, such as lengths, in numerical order."""
    return sorted(set(names), key=lambda name: (int(first) if (first := name.split(" ")[0]).isdecimal() else -1, name))


def _loss_check(asked: _Asked, changed: int | None, bounds: Bounds) -> Check:
    loss, margin, confidence = asked.loss, asked.margin, bounds.confidence
    ours, theirs = asked.model.right, asked.reference.right
    lost, gained = (None, None) if ours is None or theirs is None else ((theirs > ours).sum(), (ours > theirs).sum())
    n, p, limit, more, beyond = _rows(asked), loss.p_below(margin), loss.upper(confidence), None, 1.0
    if p > bounds.level:
        needed = loss.needed(margin, confidence, POWER)
        more, beyond = None if needed is None else max(1, needed - n), loss.p_above(margin)
    return Check(
        asked.name, UNDECIDED, n, None if lost is None else int(lost), None if gained is None else int(gained), changed,
        loss.value, limit if isfinite(limit) else None, margin, p, more, p_broken=beyond,
        model=asked.model.value, reference=asked.reference.value, points=asked.model.points,
        exact=isinstance(loss, ExactLoss),
    )  # fmt: skip


def _rows(asked: _Asked) -> int:
    loss = asked.loss
    return loss.n if isinstance(loss, ExactLoss) else len(asked.rows)


def _flips_check(asked: _Asked, bounds: Bounds) -> Check:
    n, bound, confidence = len(asked.rows), asked.margin, bounds.confidence
    changed = round((1 - asked.model.value) * n)
    if asked.documents is not None:
        return _loss_check(asked, changed, bounds)
    share, p, more = changed / n, at_most(changed, n, bound), None
    if p > bounds.level and share < bound:
        z, power = NormalDist().inv_cdf(confidence), NormalDist().inv_cdf(POWER)
        spread = z * sqrt(bound * (1 - bound)) + power * sqrt(share * (1 - share))
        more = max(1, max(_fewest_for_flips(bound, confidence), ceil((spread / (bound - share)) ** 2)) - n)
    beyond = 1 - at_most(changed - 1, n, bound) if changed else 1.0
    limit = upper_limit(changed, n, confidence)
    return Check(
        CHANGED, UNDECIDED, n, None, None, changed, share, limit, bound, p, more, p_broken=beyond,
        model=asked.model.value, reference=1.0,
    )  # fmt: skip


def _settled(checks: Sequence[Check], level: float) -> tuple[Check, ...]:
    """The checks with their status: all are shown if each is by itself; otherwise p-values are corrected (Holm)."""
    ships = all(check.p <= level for check in checks)
    shown, broken = holm([check.p for check in checks]), holm([check.p_broken for check in checks])
    return tuple(
        replace(
            check, p_holm=p, p_broken=beyond,
            status=SHOWN if ships or p <= level else BROKEN if beyond <= level else UNDECIDED,
        )
        for check, p, beyond in zip(checks, shown, broken, strict=True)
    )  # fmt: skip


def _figure(name: str, model: Estimate, reference: Estimate, documents: np.ndarray | None, confidence: float) -> Figure:
    loss, one_sided = loss_between(model, reference, documents), (1 + confidence) / 2
    low, high = (limit if isfinite(limit) else None for limit in (loss.lower(one_sided), loss.upper(one_sided)))
    return Figure(name, model.value, reference.value, loss.value, low, high, model.points)


def _outlook(asked: _Asked, confidence: float) -> str:
    loss, n, margin = asked.loss, _rows(asked), asked.margin
    bound = f"{100 * margin:g} points" if asked.model.points else f"{margin:g}"
    share = loss.bearable(margin, confidence, POWER)
    if share is None:
        fewest = loss.needed(margin, confidence, 0.5)
        cannot = f"{asked.name}: {n} texts cannot show a loss below {bound}, not even if no answer changed: "
        if fewest is None:
            return f"{cannot}none of them can lose anything; add texts that can"
        return f"{cannot}that takes {fewest:,}; only a model that is better than the reference could ship"
    differ = "the two differ in rightness" if isinstance(loss, ExactLoss) else "all is lost or gained"
    return (
        f"{asked.name}: {n} texts can show a loss below {bound}; for an equally good model they do so four times in "
        f"five if {differ} on at most {100 * share:.1f} % of the texts"
    )


def _flips_outlook(asked: _Asked, bounds: Bounds) -> str:
    if asked.documents is not None:
        return _outlook(asked, bounds.confidence)
    n, fewest = len(asked.rows), _fewest_for_flips(asked.margin, bounds.confidence)
    able = "can" if n >= fewest else "cannot"
    return f"{CHANGED}: {n} texts {able} show at most {100 * asked.margin:g} % (with none changed, {fewest} are enough)"


def _fewest_for_flips(bound: float, confidence: float) -> int:
    return ceil(log(1 - confidence) / log(1 - bound))
