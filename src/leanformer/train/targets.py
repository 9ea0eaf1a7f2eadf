"""Labels as training needs them, and what a trained model learns beside its weights: scale and thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leanformer.data.examples import Examples
from leanformer.metrics.multilabel import best_thresholds
from leanformer.predictor import sigmoid
from leanformer.tagging.ragged import ragged
from leanformer.tagging.words import words_of
from leanformer.task import Task


def labels_of(examples: Examples) -> np.ndarray:
    """The labels in the form of the model's outputs.

    Class indices `[n]`, int64; 0 or 1 for each label `[n, labels]`, int64; scores `[n]`, float32, on the scale of the
    task; or tags, a ragged array `[n]` of int64 `[words]`. Where the examples are unlabelled all are -1, or
    not-a-number for scores.
    """
    task = examples.task
    if task.answer == "tags" and examples.labels is None:
        return ragged([np.full(len(words_of(text)), -1, dtype=np.int64) for text in examples.texts])
    if task.answer == "score":
        offset, unit = task.scale or (0.0, 1.0)
        known = np.full(len(examples), np.nan) if examples.labels is None else examples.targets
        return np.asarray((known - offset) / unit, dtype=np.float32)
    if examples.labels is not None:
        return examples.targets
    shape = (len(examples), len(task.labels)) if task.answer == "labels" else (len(examples),)
    return np.full(shape, -1, dtype=np.int64)


def with_scale(task: Task, train: Examples) -> Task:
    """The task with the scale of its scores: (mean, standard deviation) of the training scores; other tasks as is.

    The loss is then 1 for a model that always says the mean, whatever the scale of the data.
    """
    if task.answer != "score":
        return task
    spread = float(train.targets.std())
    return replace(task, scale=(float(train.targets.mean()), spread if spread > 0 else 1.0))


def with_thresholds(task: Task, logits: np.ndarray, dev: Examples) -> Task:
    """The task with each label's threshold chosen on dev (see `metrics.multilabel`); other tasks as they are.

    `logits` `[dev, labels]` are the model's on dev. Rounded, so that the last bits of an fp32 sum do not matter.
    """
    if task.answer != "labels":
        return task
    chosen = best_thresholds(sigmoid(logits.astype(np.float64)), dev.targets)
    return replace(task, thresholds=tuple(round(one, 6) for one in chosen))
