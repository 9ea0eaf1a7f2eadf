"""The one figure by which models of a task are compared: what a choice looks at and what a bound is set on.

docs/decisions/0010-one-figure-for-each-kind.md says why it is this one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from leanformer.metrics.classification import accuracy
from leanformer.metrics.correlation import spearman
from leanformer.metrics.multilabel import micro_f1
from leanformer.predictor import decide
from leanformer.task import Task

_PRIMARY: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "label": ("accuracy", accuracy),
    "labels": ("micro-F1", micro_f1),
    "score": ("Spearman correlation", spearman),
}


def metric_name(task: Task) -> str:
    return _PRIMARY[task.answer][0]


def metric_of(task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
    """The figure as a function of answers (see `predictor.decide`) and targets (see `Examples.targets`)."""
    return _PRIMARY[task.answer][1]


def score_logits(logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """The figure of logits `[n, outputs]`; at most 1, higher is better."""
    return metric_of(task)(decide(logits, task), targets)
