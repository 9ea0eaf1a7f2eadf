"""Quality of a model on labelled texts, with bootstrap intervals, and its agreement with a reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from leanformer.metrics.agreement import label_agreement, probability_agreement
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.classification import accuracy, confusion, macro_f1, matthews, recalls
from leanformer.task import Task


@dataclass(frozen=True)
class Quality:
    """Scores on one split; see `report.Rung` for what each means."""

    quality: float
    quality_low: float
    quality_high: float
    drop: float
    drop_low: float
    drop_high: float
    macro_f1: float
    macro_f1_low: float
    macro_f1_high: float
    matthews: float
    matthews_low: float
    matthews_high: float
    worst_class: str
    worst_class_recall: float
    agreement: float
    probability_agreement: float


def measure_quality(logits: np.ndarray, labels: np.ndarray, reference: np.ndarray, task: Task) -> Quality:
    """Scores of logits `[n, classes]` against labels `[n]`, and against the logits of a reference model."""
    predicted, theirs = logits.argmax(axis=1), reference.argmax(axis=1)
    counts = confusion(predicted, labels, len(task.labels))
    found = recalls(counts)
    worst = int(np.nanargmin(found))
    low, high = interval(lambda rows: accuracy(predicted[rows], labels[rows]), len(labels))

    def lost(rows: np.ndarray) -> float:
        return accuracy(theirs[rows], labels[rows]) - accuracy(predicted[rows], labels[rows])

    def resampled(score: Callable[[np.ndarray], float]) -> tuple[float, float]:
        classes = len(task.labels)
        return interval(lambda rows: score(confusion(predicted[rows], labels[rows], classes)), len(labels))

    drop_low, drop_high = interval(lost, len(labels))
    f1_low, f1_high = resampled(macro_f1)
    matthews_low, matthews_high = resampled(matthews)
    return Quality(
        quality=accuracy(predicted, labels),
        quality_low=low,
        quality_high=high,
        drop=lost(np.arange(len(labels))),
        drop_low=drop_low,
        drop_high=drop_high,
        macro_f1=macro_f1(counts),
        macro_f1_low=f1_low,
        macro_f1_high=f1_high,
        matthews=matthews(counts),
        matthews_low=matthews_low,
        matthews_high=matthews_high,
        worst_class=task.labels[worst],
        worst_class_recall=float(found[worst]),
        agreement=label_agreement(logits, reference),
        probability_agreement=probability_agreement(logits, reference),
    )
