"""Quality on the part of test that no model was trained on, reported with that on all of test."""

from __future__ import annotations

from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.data.leaks import Leaks
from leanformer.metrics.bootstrap import interval
from leanformer.task import Task


def clean_quality(
    logits: np.ndarray,
    targets: np.ndarray,
    reference: np.ndarray,
    task: Task,
    reference_task: Task | None = None,
    *,
    leaks: Leaks | None,
) -> dict[str, Any]:
    """The fields of `report.Rung` about clean test; arguments as for `quality.measure_quality`.

    Empty if `leaks` is None, that is, if nothing is known about the training texts. A score is None if no text is left
    for it.
    """
    if leaks is None:
        return {}
    form = form_of(task)
    ours, theirs = form.decide(logits, task), form.decide(reference, reference_task or task)
    score, their_score = form.of_rows(ours, targets, task), form.of_rows(theirs, targets, task)

    def lost(rows: np.ndarray) -> float:
        return their_score(rows) - score(rows)

    clean = np.flatnonzero(~leaks.exact)
    found: dict[str, Any] = {"n_clean": len(clean)}
    if len(clean):
        low, high = interval(lambda rows: lost(clean[rows]), len(clean))
        found |= {"quality_clean": score(clean), "drop_clean": lost(clean)}
        found |= {"drop_clean_low": low, "drop_clean_high": high}
    if leaks.near is not None:
        distinct = np.flatnonzero(~leaks.near)
        found |= {"n_distinct": len(distinct), "quality_distinct": score(distinct) if len(distinct) else None}
    return found
