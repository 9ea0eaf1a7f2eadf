"""Batches of a few rows, and a short training of a tiny model, for tests of what acts on models and trainings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.models.maps import watched
from leanformer.train.feeds.batches import Batch, TrainingSet
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.hooks.hook import Hook
from leanformer.train.loop import Plan, fit
from leanformer.train.objectives.objective import LabelLoss, Objective, Supervised
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_classifier

CPU = torch.device("cpu")


def batch_of(rows: Sequence[Sequence[int]], labels: Sequence[int] | None = None) -> Batch:
    """A padded batch of these token ids; without labels, all are of the first class."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    wanted = torch.tensor(labels if labels is not None else [0] * len(rows))
    return Batch(ids, ids > 0, wanted, torch.arange(len(rows)).numpy(), 1.0)


def first_inputs(model: Classifier, batch: Batch) -> Tensor:
    """The input of the first map, `[rows, tokens, width]`."""
    seen: dict[str, Tensor] = {}
    with watched(model, lambda name, x: seen.setdefault(name, x)), torch.no_grad():
        model(batch.ids, batch.mask)
    return seen["0.attention.query"]


def training_rows(count: int = 40) -> TrainingSet:
    """Rows of five tokens, whose label is known by the second."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (count,), generator=generator)
    ids = torch.randint(20, 60, (count, 5), generator=generator)
    ids[:, 1] = labels + 10
    return TrainingSet([row.numpy().astype("int32") for row in ids], labels.numpy(), 0)


def trained(
    *hooks: Hook, model: Classifier | None = None, epochs: int = 2, objective: Objective | None = None
) -> Classifier:
    """A tiny model after ten steps in each of two epochs, or so many."""
    model = tiny_classifier() if model is None else model
    settings = FitSettings(epochs=epochs, batch_size=4, learning_rate=0.003, precision="fp32", seed=3)
    feed = ByLength(training_rows(), batch_size=4, seed=3)
    scores = iter(range(1, 1 + epochs))  # the last weights are kept
    plan = Plan(settings, lambda: float(next(scores)), None, "", CPU)
    fit(model, objective or Supervised(LabelLoss("label")), feed, plan, hooks)
    return model.eval()


def logits(model: Classifier) -> Tensor:
    """Of a few rows."""
    ids = torch.tensor([[2, 11, 30, 40], [5, 10, 33, 41], [7, 12, 28, 59]])
    with torch.no_grad():
        found: Tensor = model(ids, ids > 0)
    return found


def check_same(ours: Classifier, theirs: Classifier) -> None:
    torch.testing.assert_close(logits(ours), logits(theirs), rtol=0, atol=1e-5)


def check_other(ours: Classifier, theirs: Classifier) -> None:
    assert (logits(ours) - logits(theirs)).abs().max() > 1e-3
