"""Fits a classifier to labelled texts: encoding, training, dev scores, and learnt thresholds or transitions."""

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
from leanformer.train.feeds.feed import Feed
from leanformer.train.feeds.in_steps import InSteps
from leanformer.train.hooks.hook import Hook
from leanformer.train.judging import Judge
from leanformer.train.loop import FitResult, Plan
from leanformer.train.objectives.objective import Objective
from leanformer.train.parts import fit_with_parts
from leanformer.train.passages import Passages
from leanformer.train.rows import encode, training_set
from leanformer.train.settings import FitSettings


@dataclass(frozen=True)
class Fitted(FitResult):
    """The result of a fit, and the task with the thresholds and transitions that were learnt."""

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
    work: Path | None,
    identity: str,
    device: str,
    say: Callable[[str], None],
    languages: Sequence[str] | None = None,
    score: Callable[[], float] | None = None,
    steps: int | None = None,
    hooks: Sequence[Hook] = (),
) -> Fitted:
    """Fit a classifier on `texts` and `labels` (see `labels_of`), scored on `dev` by its task's figure.

    `languages` are those of the texts, for sampling by language (`FitSettings.language_temperature`).
    `score` replaces that figure if it would be uninformative.
    `steps` is the number of optimiser steps, of which the epochs are parts then; None: each epoch is a pass.
    Without `work` there are no checkpoints. `hooks` come before those of the settings' parts.
    If the task has thresholds, they are chosen again for each score, and the returned task has those of the weights
    that are kept. Whatever the objective learns for decoding is added to the task too.
    """
    train, where = encode(tokenizer, dev.task, texts), device_of(device)
    if isinstance(train, Passages):
        if lost := train.untaught(labels):
            say(f"note: {lost} of {len(texts)} answers are longer than any window's share of the context; not learnt")
        if cut := sum(window.cut for group in train.windows for window in group[:1]):
            say(f"note: {cut} of {len(texts)} questions are longer than half of {tokenizer.max_tokens} tokens and cut")
    if train.averaged and train.counts is not None:
        most = max(1, settings.token_budget // tokenizer.max_tokens)
        long, cut = (int((train.counts > count).sum()) for count in (1, most))
        say(
            f"{long} of {len(texts)} texts are longer than {tokenizer.max_tokens} tokens: {len(train.rows)} windows "
            "in all"
        )
        if cut:
            say(
                f"note: {cut} of {len(texts)} texts have more than {most} windows, the most that a step holds of one "
                "text (--token-budget); training takes evenly spaced ones, and all else reads every one"
            )
    data = training_set(train, labels, model.config.padding_id, languages)
    judge = Judge(model, dev, tokenizer, where, objective.learnt)
    folder = None if work is None else work / "checkpoint"
    plan = Plan(settings, score or judge.figure, folder, identity, where, say=say)
    feed: Feed = feed_of(data, settings)
    if steps is not None:
        feed = InSteps(feed, steps, settings.epochs)
    result = fit_with_parts(model, objective, feed, plan, hooks)
    return Fitted(result.scores, result.best_epoch, result.seconds, judge.task(), adapter=result.adapter)


def dev_result(result: FitResult, task: Task) -> dict[str, Any]:
    """The history entry of a fit: the task's dev figure after each epoch, and the best epoch, counted from 1."""
    return {dev_name(task): list(result.scores), "best_epoch": result.best_epoch + 1}


def dev_name(task: Task) -> str:
    """The key of the task's figure on dev in a history."""
    return "dev_" + metric_name(task).lower().replace(" ", "_").replace("-", "_")


def encoder_hash(model: Classifier | BiLstm) -> str:
    """Hash of a model's weights and configuration."""
    digest = hashlib.sha256(json.dumps(model.config.to_json(), sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
