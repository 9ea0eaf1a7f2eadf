"""Labels in the form that training needs, and what a model learns besides its weights: scale and thresholds."""

from __future__ import annotations

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.data.examples import Examples
from leanformer.task import Task


def labels_of(examples: Examples) -> np.ndarray:
    """The labels in the form of the model's outputs.

    Class indices `[n]`, int64; 0 or 1 for each label `[n, labels]`, int64; scores `[n]`, float32, on the task's scale;
    or tags, a ragged array `[n]` of int64 `[words]`. For unlabelled examples all values are -1, or NaN for scores.
    """
    form = form_of(examples.task)
    if examples.labels is None:
        return form.unknown(examples.texts, examples.task)
    return form.learnt(examples.targets, examples.task)


def with_scale(task: Task, train: Examples) -> Task:
    """The task with the scale of its scores: (mean, standard deviation) of training scores; others are unchanged."""
    return form_of(task).before_training(task, train.targets)


def with_thresholds(task: Task, logits: np.ndarray, dev: Examples) -> Task:
    """The task with each label's threshold chosen on dev (see `metrics.multilabel`); other tasks are unchanged.

    `logits` `[dev, labels]` are the model's on dev.
    """
    return form_of(task).after_training(task, logits, dev.targets)
