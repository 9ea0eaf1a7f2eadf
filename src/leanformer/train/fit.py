"""Fitting a classifier to labelled texts: encoded, trained, scored on dev, with what it learns about answering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import metric_name
from leanformer.data.examples import Examples
from leanformer.models.bilstm import BiLstm
from leanformer.models.classifier import Classifier
from leanformer.models.store import device_of
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.judging import Judge
from leanformer.train.loop import FitResult, Plan
from leanformer.train.objectives.objective import Objective
from leanformer.train.parts import fit_with_parts
from leanformer.train.rows import encode, training_set
from leanformer.train.settings import FitSettings


@dataclass(frozen=True)
class Fitted(FitResult):
    """What came of a fit, and the task with what was learnt about answering it (thresholds)."""

    task: Task


def fit_classifier(
    model: Classifier,
    objective: Objective,
    texts: Sequence[Text],
    labels: np.ndarray,
    dev: Examples,
    tokenizer: Tokenizer,
    settings: FitSettings,
    *,
    work: Path,
    identity: str,
    device: str,
    say: Callable[[str], None],
    languages: Sequence[str] | None = None,
    score: Callable[[], float] | None = None,
) -> Fitted:
    """Fit a classifier on `texts` and `labels` (see `labels_of`), scored on `dev` by the figure of its task.

    `languages` are those of the texts, by which they may be sampled (`FitSettings.language_temperature`).
    `score` takes the place of that figure, where it would say nothing.
    Thresholds, where the task has them, are chosen anew for each score, and last for the weights that are kept. What
    the objective has learnt about answering becomes a part of the task likewise.
    """
    train, where = encode(tokenizer, dev.task, texts), device_of(device)
    data = training_set(train, labels, model.config.padding_id, languages)
    judge = Judge(model, dev, tokenizer, where, objective.learnt)
    plan = Plan(settings, score or judge.figure, work / "checkpoint", identity, where, say=say)
    result = fit_with_parts(model, objective, feed_of(data, settings), plan)
    return Fitted(result.scores, result.best_epoch, result.seconds, judge.task())


def dev_result(result: FitResult, task: Task) -> dict[str, Any]:
    """What a history keeps of a fit: the task's figure on dev after each epoch, and the best epoch, from 1."""
    name = "dev_" + metric_name(task).lower().replace(" ", "_").replace("-", "_")
    return {name: list(result.scores), "best_epoch": result.best_epoch + 1}


def encoder_hash(model: Classifier | BiLstm) -> str:
    """Hash of a model's weights and shape."""
    digest = hashlib.sha256(json.dumps(model.config.to_json(), sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
