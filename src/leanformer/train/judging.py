"""Evaluation of a model on the dev texts: by the figure of its task, or by its loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from leanformer.answers.forms import score_logits
from leanformer.artifact import Artifact
from leanformer.data.examples import Examples
from leanformer.models.bilstm import BiLstm
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of
from leanformer.models.writing import TOKENIZER
from leanformer.step import Context
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.objectives.distillation import Distillation
from leanformer.train.objectives.objective import Objective
from leanformer.train.rows import encode, unlabelled_set
from leanformer.train.targets import with_thresholds
from leanformer.train.teacher_outputs import teacher_outputs


class Judge:
    """Computes a model's dev figure, and the task with the thresholds and transitions that were learnt.

    Args:
        learnt: returns the task with what the objective has learnt so far, see `Objective.learnt`.
    """

    def __init__(
        self,
        model: Classifier | BiLstm,
        dev: Examples,
        tokenizer: Tokenizer,
        device: torch.device,
        learnt: Callable[[Task], Task] = lambda task: task,
    ) -> None:
        self._model, self._dev, self._device, self._learnt = model, dev, device, learnt
        self._rows = encode(tokenizer, dev.task, dev.inputs)

    def figure(self) -> float:
        """The task's figure for the current model, set to eval mode, with thresholds chosen for it."""
        self._model.eval()
        logits = self._logits()
        return score_logits(logits, self._dev.targets, self._learnt(with_thresholds(self._dev.task, logits, self._dev)))

    def task(self) -> Task:
        """The task with thresholds for the current model, if it has them, and with what the objective has learnt.

        Without thresholds the model is not run.
        """
        task = self._dev.task
        chosen = not {"thresholds", "no_answer"}.isdisjoint(task.learns)
        return self._learnt(with_thresholds(task, self._logits(), self._dev) if chosen else task)

    def _logits(self) -> np.ndarray:
        padding = self._model.config.padding_id
        return self._rows.logits(lambda rows: score_rows(self._model, rows, padding_id=padding, device=self._device))


def task_again(model: Classifier, artifact: Artifact, context: Context, tokenizer: Path | None = None) -> Task:
    """The artifact's task for a `model` with other logits: the score that an answer needs, if any, is chosen on dev.

    `tokenizer` is the model's file, if it is not the artifact's.
    """
    dev = context.data.dev
    if artifact.task.no_answer is None or dev is None or not dev.is_labelled:
        return artifact.task
    reader = Tokenizer(tokenizer or artifact.file(TOKENIZER), artifact.max_tokens)
    where = device_of(context.device)
    return Judge(model.to(where).eval(), dev.for_task(artifact.task), reader, where).task()


def nearness(
    model: nn.Module, objective: Objective, dev: TrainingSet, *, token_budget: int, device: torch.device
) -> float:
    """Minus the loss on the dev rows, to choose an epoch if answers are not trained; the model is in eval mode."""
    total = 0.0
    with torch.inference_mode():
        for batch in to_batches(dev, np.arange(len(dev)), token_budget=token_budget, device=device):
            total += float(objective(model, batch)) * batch.share
    return -total


def inner_score(
    student: Classifier,
    objective: Distillation,
    dev: Examples,
    tokenizer: Tokenizer,
    context: Context,
    token_budget: int,
) -> Callable[[], float]:
    """A function for minus the distance of the inner states from the teacher's on dev, with current projections."""
    encoded = encode(tokenizer, dev.task, dev.inputs)
    if objective.online is None:
        outputs = teacher_outputs(
            context.artifacts["teacher"], dev.inputs, cache=context.cache,
            hidden=sorted({theirs for _, theirs in objective.hidden_map}),
            attention=sorted({theirs for _, theirs in objective.attention_map}),
            device=context.device, say=context.say,
        )  # fmt: skip
        objective = objective.on(outputs)
    data = unlabelled_set(encoded, student.config.padding_id)
    device = device_of(context.device)
    return partial(nearness, student, objective, data, token_budget=token_budget, device=device)
