"""The Objective protocol and the plainest objective."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.answers import LOSSES
from leanformer.train.objectives.chain import RATE as CHAIN_RATE
from leanformer.train.objectives.chain import TagChain


class Objective(nn.Module):
    """A loss over one block, with parameters of its own where it needs some (projections).

    A subclass defines `forward(model, batch)`: the mean loss per row, a scalar.

    Attributes:
        own_rate: the peak learning rate of its own parameters; None where it is the model's. Where there is one, they
            have no weight decay.
    """

    own_rate: float | None = None

    def forward(self, model: Any, batch: Batch) -> Tensor:
        raise NotImplementedError


class CrossEntropy(Objective):
    """Cross-entropy with the labels."""

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        return F.cross_entropy(model(batch.ids, batch.mask, batch.types).float(), batch.labels)


class Supervised(Objective):
    """The loss against labels of the task's form of answer: cross-entropy, binary cross-entropy or squared error.

    With a `chain` it is that of whole sequences of tags, and the chain is trained too (see `objectives.chain`).
    """

    def __init__(self, answer: str, chain: TagChain | None = None) -> None:
        super().__init__()
        self._loss, self.chain = LOSSES[answer].hard, chain
        self.own_rate = None if chain is None else CHAIN_RATE

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        logits = model(batch.ids, batch.mask, batch.types).float()
        if self.chain is not None:
            each: Tensor = self.chain(logits, batch.labels, batch.goes_on)
            return each.mean()
        return self._loss(logits, batch.labels).mean()
