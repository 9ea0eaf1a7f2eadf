"""Heads of early exits learn the answers of the model's own last layer (self-distillation, Liu et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.models.exits import ExitHeads
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.distillation import soft_cross_entropy
from leanformer.train.objectives.objective import Objective


class ExitDistillation(Objective):
    """The mean over exits of the soft cross-entropy with the last layer's answers; the model's weights get no gradient.

    Args:
        heads: the heads to train. temperature: of the soft targets.
    """

    def __init__(self, heads: ExitHeads, temperature: float = 1.0) -> None:
        super().__init__()
        self.heads, self._temperature = heads, temperature

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        model.eval()  # the loop has set it to training, and its dropout would blur what the heads read and learn
        with torch.no_grad():
            output = model.outputs(batch.ids, batch.mask, batch.types)
        exits = self.heads(output.encoded.hidden_states, batch.mask).float()
        losses = [
            soft_cross_entropy(exits[:, number], output.logits.float(), self._temperature).mean()
            for number in range(exits.shape[1])
        ]
        return torch.stack(losses).mean()
