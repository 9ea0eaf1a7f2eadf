"""All that a pre-training needs, made from its options: texts, teacher, student, loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from leanformer.artifact import Artifact
from leanformer.compress.pretrain.corpus import read_texts
from leanformer.compress.pretrain.objectives import OBJECTIVES
from leanformer.compress.pretrain.start import first_student
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts
from leanformer.errors import DataError
from leanformer.files import sha256_json
from leanformer.models.classifier import Classifier
from leanformer.models.store import device_of, read_model
from leanformer.models.writing import TOKENIZER
from leanformer.step import Context
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.feeds.in_steps import InSteps
from leanformer.train.judging import nearness
from leanformer.train.loop import Plan, fit
from leanformer.train.online_teacher import OnlineTeacher
from leanformer.train.precision import autocast, resolve
from leanformer.train.rows import encode
from leanformer.train.settings import FitSettings

if TYPE_CHECKING:
    from leanformer.compress.pretrain.pretrain import Pretrain

# Texts that are held out: one of 20, at most 500. With fewer than 20 texts nothing is learnt, or known about it.
_HELD_OUT, _ONE_OF = 500, 20
# How often the held-out loss is computed.
_PARTS = 5
# Steps before the clock is started, and steps that are timed.
_FIRST, _TIMED = 4, 20


class Work:
    """A pre-training before its first step.

    Attributes:
        student: as it will be written. trained: the same weights without dropout, since hardly a text is seen often
            enough to be learnt by heart.
        task: of the student: the input's, with the student's width if answers are vectors.
        how: what was chosen by default, for the history.
        texts_hash, used: of the texts.
        train, held_out: their rows.
    """

    def __init__(self, options: Pretrain, artifact: Artifact, context: Context) -> None:
        torch.set_num_threads(context.threads)
        torch.manual_seed(context.seed)
        self._options, self._seed, self.device = options, context.seed, device_of(context.device)
        teacher = read_model(artifact)
        self._read(artifact, context, teacher.config.padding_id)
        layers, hidden = options.sizes(len(teacher.config.layers), teacher.config.hidden)
        self.student, origin = first_student(
            teacher,
            layers,
            hidden,
            heads=options.heads,
            ffn=options.ffn,
            afresh=options.initial == "random",
            vectors=artifact.task.width if options.objective == "vectors" else None,
        )
        config = self.student.config
        self.trained = Classifier(replace(config, dropout=0.0, attention_dropout=0.0))
        self.trained.load_state_dict(self.student.state_dict())
        self.trained.to(self.device).eval()
        self.task = artifact.task if artifact.task.width is None else replace(artifact.task, width=config.labels)
        taught = OnlineTeacher(teacher, self.device)
        objective, chosen = OBJECTIVES[options.objective](options, taught, config, artifact.task)
        self.objective = objective.to(self.device)
        self.how: dict[str, Any] = {"initial": origin} | chosen
        shown = [f"{name.replace('_', ' ')} {value}" for name, value in chosen.items()]
        context.say(f"{len(self.train)} texts (long ones in parts), and {len(self.held_out)} held out")
        context.say(f"student {layers}x{hidden}: {origin}; {', '.join([options.objective, *shown])}")

    def _read(self, artifact: Artifact, context: Context, padding: int) -> None:
        options, data = self._options, context.data
        tokenizer = Tokenizer(artifact.file(TOKENIZER), min(options.max_tokens, artifact.max_tokens))
        if options.texts is not None:
            texts: tuple[Text, ...] = read_texts(Path(options.texts))
            rows = [window for windows in tokenizer.windows(texts) for window in windows]
            self.used = UsedTexts.of(unlabelled=Examples(Task("embedding", (), width=1), texts, None))  # type: ignore[arg-type]
        else:
            parts = [part for part in (data.train, data.unlabelled) if part is not None]
            texts = tuple(dict.fromkeys(text for part in parts for text in part.inputs))
            rows = encode(tokenizer, artifact.task, texts).rows
            self.used = data.used_texts
        where = options.texts or data.name
        if len(rows) < _ONE_OF:
            raise DataError(
                f"{len(rows)} different texts; pre-training needs {_ONE_OF}, and learns from thousands", path=where,
                remedy="give more text",
            )  # fmt: skip
        self.texts_hash = sha256_json(list(texts))
        order, held = np.random.default_rng(self._seed).permutation(len(rows)), min(_HELD_OUT, len(rows) // _ONE_OF)
        whole = TrainingSet(rows, np.full(len(rows), -1), padding)
        self.held_out, self.train = whole.select(sorted(order[:held])), whole.select(sorted(order[held:]))

    def score(self) -> float:
        """Minus the loss on the held-out texts."""
        options = self._options
        with autocast(resolve(options.precision, self.device), self.device):
            return nearness(
                self.trained, self.objective, self.held_out, token_budget=options.token_budget, device=self.device
            )

    def fit(self, folder: Path, identity: str, before: float, say: Callable[[str], None]) -> float:
        """Train, and give the student the weights with the least held-out loss, which is returned; `before` at first.

        A run that was killed resumes from its checkpoint in `folder`.
        """
        steps = self._options.steps
        parts = min(_PARTS, steps)
        plan = Plan(self._settings(parts), self.score, folder, identity, self.device, say=say)
        result = fit(self.trained, self.objective, self._feed(steps, parts), plan)
        self.student.load_state_dict(self.trained.cpu().state_dict())
        return before if result.best_epoch < 0 else -result.scores[result.best_epoch]

    def seconds_per_step(self, scratch: Path) -> float:
        """The time of an optimiser step on this machine; the student is changed by it."""
        seconds = 0.0
        for steps in (_FIRST, _TIMED):  # the first steps of a process are slower
            settings = replace(self._settings(1), keep_start=False, checkpoint_seconds=1e9)
            plan = Plan(settings, lambda: 0.0, scratch / str(steps), "", self.device)
            seconds = fit(self.trained, self.objective, self._feed(steps, 1), plan).seconds
        return seconds / _TIMED

    def _settings(self, parts: int) -> FitSettings:
        options = self._options
        return FitSettings(
            epochs=parts, batch_size=options.batch_size, token_budget=options.token_budget,
            learning_rate=options.learning_rate, warmup=options.warmup, weight_decay=options.weight_decay,
            precision=options.precision, seed=self._seed, keep_start=True,
        )  # fmt: skip

    def _feed(self, steps: int, parts: int) -> InSteps:
        options = self._options
        rows = ByLength(
            self.train, batch_size=options.batch_size, token_budget=options.token_budget, seed=self._seed
        )  # fmt: skip
        return InSteps(rows, steps, parts)
