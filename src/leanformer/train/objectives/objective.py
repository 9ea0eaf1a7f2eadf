"""The Objective protocol and the plainest objective."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.batches import Batch


class Objective(nn.Module):
    """A loss over one block, with parameters of its own where it needs some (projections).

    A subclass defines `forward(model, batch)`: the mean loss per row, a scalar.
    """

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        raise NotImplementedError


class CrossEntropy(Objective):
    """Cross-entropy with the labels."""

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        return F.cross_entropy(model(batch.ids, batch.mask).float(), batch.labels)
