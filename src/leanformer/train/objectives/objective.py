"""The Objective protocol and the plainest objective."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.batches import Batch
from leanformer.train.objectives.answers import LOSSES


class Objective(nn.Module):
    """A loss over one block, with parameters of its own where it needs some (projections).

    A subclass defines `forward(model, batch)`: the mean loss per row, a scalar.
    """

    def forward(self, model: Any, batch: Batch) -> Tensor:
        raise NotImplementedError


class CrossEntropy(Objective):
    """Cross-entropy with the labels."""

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        return F.cross_entropy(model(batch.ids, batch.mask, batch.types).float(), batch.labels)


class Supervised(Objective):
    """The loss against labels of the task's form of answer: cross-entropy, binary cross-entropy or squared error."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._loss = LOSSES[answer].hard

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        return self._loss(model(batch.ids, batch.mask, batch.types).float(), batch.labels).mean()
