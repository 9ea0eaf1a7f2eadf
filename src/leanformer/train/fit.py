"""Fitting a classifier to labelled texts: encoded, trained, scored on dev, with what it learns about answering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import metric_name, score_logits
from leanformer.data.examples import Examples
from leanformer.errors import LeanformerError
from leanformer.models.bilstm import BiLstm
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of
from leanformer.tagging.viterbi import Transitions
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.loop import FitResult, FitSettings, fit
from leanformer.train.objectives.chain import TagChain
from leanformer.train.objectives.objective import Objective
from leanformer.train.rows import encode
from leanformer.train.targets import with_thresholds


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
    chain: TagChain | None = None,
) -> Fitted:
    """Fit a classifier on `texts` and `labels` (see `labels_of`), scored on `dev` by the figure of its task.

    `languages` are those of the texts, by which they may be sampled (`FitSettings.language_temperature`).
    `score` takes the place of that figure, where it would say nothing.
    Thresholds, where the task has them, are chosen anew for each score, and last for the weights that are kept. What a
    `chain` that the objective trains has learnt becomes a part of the task likewise.
    """
    padding = model.config.padding_id
    train = encode(tokenizer, dev.task, texts)
    data = TrainingSet(train.rows, train.labels(labels), padding, train.groups(languages), train.goes_on())
    dev_rows = encode(tokenizer, dev.task, dev.inputs)
    where = device_of(device)

    def on_dev() -> np.ndarray:
        return dev_rows.logits(lambda rows: score_rows(model, rows, padding_id=padding, device=where))

    def figure() -> float:
        logits = on_dev()
        return score_logits(logits, dev.targets, with_chain(with_thresholds(dev.task, logits, dev), chain))

    result = fit(
        model, objective, data, settings, score=score or figure, folder=work / "checkpoint", identity=identity,
        device=where, say=say,
    )  # fmt: skip
    task = with_thresholds(dev.task, on_dev(), dev) if dev.task.answer == "labels" else dev.task
    return Fitted(result.scores, result.best_epoch, result.seconds, with_chain(task, chain))


def tag_chain(task: Task, where: str, start: Transitions | None = None) -> TagChain:
    """A chain for the tags of `task`, from what an earlier model learnt or from nought.

    Raises `LeanformerError`, naming `where` it was asked for, for a task without tags.
    """
    if task.answer != "tags":
        raise LeanformerError(
            f"{where}: a CRF learns which tag follows which, and a task of kind {task.kind!r} has none\n"
            "  remedy: leave `crf` out; or data whose words have tags (--task tokens)"
        )
    return TagChain(task.labels, start, task.scheme)


def with_chain(task: Task, chain: TagChain | None) -> Task:
    """The task with what the chain has learnt; without one as it is."""
    return task if chain is None else replace(task, transitions=chain.transitions())


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
