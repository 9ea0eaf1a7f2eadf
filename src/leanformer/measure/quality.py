"""Quality of a model on labelled texts, with bootstrap intervals, and its agreement with a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leanformer.answers.forms import form_of, probability_agreement
from leanformer.metrics.bootstrap import interval
from leanformer.task import Task


@dataclass(frozen=True)
class Quality:
    """Scores on one split; see `report.Rung` for what each means and which are None for which kind of task."""

    quality: float
    quality_low: float
    quality_high: float
    drop: float
    drop_low: float
    drop_high: float
    agreement: float
    probability_agreement: float | None
    macro_f1: float | None = None
    macro_f1_low: float | None = None
    macro_f1_high: float | None = None
    matthews: float | None = None
    matthews_low: float | None = None
    matthews_high: float | None = None
    worst_class: str | None = None
    worst_class_recall: float | None = None
    scores: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


def measure_quality(
    logits: np.ndarray,
    targets: np.ndarray,
    reference: np.ndarray,
    task: Task,
    reference_task: Task | None = None,
    *,
    languages: Sequence[str] | None = None,
) -> Quality:
    """Scores of logits `[n, outputs]` against targets (see `Examples.targets`) and against a reference model's logits.

    `reference_task` is the task of the reference model, whose thresholds may differ; None: the same. If words are
    tagged and the `languages` of the rows are known, there are scores for each language, their mean and standard
    deviation.
    """
    form = form_of(task)
    ours, theirs = form.decide(logits, task), form.decide(reference, reference_task or task)
    n = len(targets)
    score, their_score = form.of_rows(ours, targets, task), form.of_rows(theirs, targets, task)

    def lost(rows: np.ndarray) -> float:
        return their_score(rows) - score(rows)

    low, high = interval(score, n)
    drop_low, drop_high = interval(lost, n)
    return Quality(
        quality=score(np.arange(n)),
        quality_low=low,
        quality_high=high,
        drop=lost(np.arange(n)),
        drop_low=drop_low,
        drop_high=drop_high,
        agreement=form.same(ours, theirs),
        probability_agreement=probability_agreement(logits, reference, task),
        **form.further(ours, targets, task, languages),
    )
