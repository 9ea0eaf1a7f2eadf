"""A run of the training loop on tiny data, to be interrupted, repeated and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leanformer.metrics.classification import accuracy
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.tokenizer import Tokenizer
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.feeds.batches import Batch, TrainingSet
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.feeds.feed import Feed
from leanformer.train.hooks.hook import Hook
from leanformer.train.loop import FitResult, Plan, fit
from leanformer.train.objectives.objective import Objective
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_classifier, tiny_config, tiny_dataset, tiny_tokenizer

CPU = torch.device("cpu")
DATA = tiny_dataset()
# 120 rows in steps of 16: 8 steps an epoch, the last one short; the budget splits the longer ones into blocks.
SETTINGS = FitSettings(epochs=3, batch_size=16, token_budget=150, learning_rate=2e-3, checkpoint_seconds=0.0)


class KilledError(Exception):
    """Stands for the end of the process."""


def dying(after: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which raises `KilledError` in place of its call number `after` (from 0)."""
    calls = iter(range(1_000_000))

    def call(*args: Any, **options: Any) -> Any:
        if next(calls) == after:
            raise KilledError
        return function(*args, **options)

    return call


class Projected(Objective):
    """Cross-entropy with a parameter of its own, as a distillation with projections has them."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(model(batch.ids, batch.mask) * self.scale, batch.labels)


class Run:
    """A model with dropout on the tiny data; everything a fit needs, and what came of it."""

    def __init__(self, folder: Path, settings: FitSettings = SETTINGS, device: torch.device = CPU) -> None:
        self.folder, self.settings, self.device = folder / "checkpoint", settings, device
        tokenizer = Tokenizer(tiny_tokenizer(folder), 32)
        assert DATA.train is not None and DATA.dev is not None
        self.data = TrainingSet(tokenizer.encode(DATA.train.texts), np.array(DATA.train.labels), 0)
        self.dev, self.dev_labels = tokenizer.encode(DATA.dev.texts), np.array(DATA.dev.labels)
        self.model = tiny_classifier(tiny_config(dropout=0.1, attention_dropout=0.1))
        self.objective: Objective = Projected()
        self.feed: Feed | None = None  # None: the usual one
        self.hooks: list[Hook] = []
        self.adapter: Adapter | None = None
        self.said: list[str] = []
        self.states: list[dict[str, Tensor]] = []

    def start_fresh(self) -> None:
        """Draw the weights as for training; those of `tiny_classifier` are rough, which learns slowly."""
        torch.manual_seed(1)
        self.model = Classifier(self.model.config)

    def score(self) -> float:
        assert not any(module.training for module in self.model.modules())
        self.states.append({name: value.cpu().clone() for name, value in self.model.state_dict().items()})
        predicted = score_rows(self.model, self.dev, padding_id=0, device=self.device).argmax(axis=1)
        return accuracy(predicted, self.dev_labels)

    def fit(self, *, score: Callable[[], float] | None = None, say: Callable[[str], None] | None = None) -> FitResult:
        plan = Plan(
            self.settings, score or self.score, self.folder, "tiny", self.device, self.adapter, say or self.said.append
        )
        return fit(self.model, self.objective, self.feed or feed_of(self.data, self.settings), plan, self.hooks)

    def weights(self) -> dict[str, Tensor]:
        return {f"objective.{n}": v for n, v in self.objective.state_dict().items()} | self.model.state_dict()


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
