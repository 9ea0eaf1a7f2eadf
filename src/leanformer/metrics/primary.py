"""The one figure by which models of a task are compared: what a choice looks at and what a bound is set on.

docs/decisions/0010-one-figure-for-each-kind.md says why it is this one, and 0017 for tags.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from leanformer.errors import LeanformerError
from leanformer.metrics.classification import accuracy
from leanformer.metrics.correlation import spearman
from leanformer.metrics.multilabel import micro_f1
from leanformer.metrics.tagging import entity_counts, entity_f1, f1
from leanformer.predictor import decide
from leanformer.task import Task

_PRIMARY: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "label": ("accuracy", accuracy),
    "labels": ("micro-F1", micro_f1),
    "score": ("Spearman correlation", spearman),
}
_OF_TAGS = "entity F1"


def metric_name(task: Task) -> str:
    """What the figure is called. Raises `LeanformerError` for vectors, of which no data say what they should be."""
    if task.answer == "vector":
        raise LeanformerError(
            "a model that gives vectors has no labels to be measured or compressed by\n"
            "  remedy: leanformer predict and serve run it; its parity gate says how far it is from PyTorch (inspect)"
        )
    return _OF_TAGS if task.answer == "tags" else _PRIMARY[task.answer][0]


def metric_of(task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
    """The figure as a function of answers (see `predictor.decide`) and targets (see `Examples.targets`)."""
    if task.answer == "tags":
        return partial(entity_f1, labels=task.labels)
    return _PRIMARY[task.answer][1]


def of_rows(task: Task, answers: np.ndarray, targets: np.ndarray) -> Callable[[np.ndarray], float]:
    """The figure as a function of the rows (indices) that are looked at, for drawing many samples of them."""
    if task.answer == "tags":
        # Entities do not change with the sample, so they are found once.
        counts = entity_counts(answers, targets, task.labels).sum(axis=1)
        return lambda rows: float(f1(counts[rows].sum(axis=0)))
    score = metric_of(task)
    return lambda rows: score(answers[rows], targets[rows])


def score_logits(logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """The figure of logits as `predictor.logits` gives them; at most 1, higher is better."""
    return metric_of(task)(decide(logits, task), targets)
