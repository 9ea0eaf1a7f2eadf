"""Early exits in PyTorch: heads behind layers of a classifier, to be trained, and as the reference for the engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from leanformer.exits import ExitHead, Exits
from leanformer.models.classifier import Classifier
from leanformer.models.heads import PooledHead, masked_mean


class ExitHeads(nn.Module):
    """A head behind each of the given numbers of layers: the mean of a text's tokens, dense, tanh, logits.

    They start from the model's own head.
    """

    def __init__(self, model: Classifier, layers: Sequence[int]) -> None:
        super().__init__()
        head = model.head
        assert isinstance(head, PooledHead)
        self.layers = tuple(layers)
        self.dense, self.classifier = nn.ModuleList(), nn.ModuleList()
        for _ in self.layers:
            dense = nn.Linear(model.config.hidden, model.config.hidden)
            classifier = nn.Linear(model.config.hidden, model.config.labels)
            with torch.no_grad():
                dense.weight.copy_(head.pooler.weight)
                dense.bias.zero_() if head.pooler.bias is None else dense.bias.copy_(head.pooler.bias)
                classifier.weight.copy_(head.classifier.weight)
                classifier.bias.copy_(head.classifier.bias)
            self.dense.append(dense)
            self.classifier.append(classifier)

    def forward(self, hidden_states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Logits `[B, exits, labels]` from an encoder's hidden states (see `EncoderOutput`) and the mask `[B, S]`."""
        found = []
        for layer, dense, classifier in zip(self.layers, self.dense, self.classifier, strict=True):
            mean = masked_mean(hidden_states[layer], mask)
            found.append(classifier(torch.tanh(dense(mean))))
        return torch.stack(found, dim=1)

    @classmethod
    def of(cls, model: Classifier, exits: Exits) -> ExitHeads:
        """The stored heads of a model's exits."""
        heads = cls(model, exits.layers)
        with torch.no_grad():
            for dense, classifier, head in zip(heads.dense, heads.classifier, exits.heads, strict=True):
                for linear, weight, bias in (
                    (dense, head.dense, head.dense_bias), (classifier, head.classifier, head.bias),
                ):  # fmt: skip
                    assert isinstance(linear, nn.Linear)
                    linear.weight.copy_(torch.from_numpy(weight.T.copy()))
                    linear.bias.copy_(torch.from_numpy(bias))
        return heads

    def to_exits(self) -> Exits:
        """As plain arrays, without thresholds."""

        def part(linear: nn.Module) -> tuple[np.ndarray, np.ndarray]:
            assert isinstance(linear, nn.Linear)
            weight, bias = (np.array(value.detach().cpu().float().numpy()) for value in (linear.weight.T, linear.bias))
            return weight, bias

        heads = [
            ExitHead(*part(dense), *part(classifier))
            for dense, classifier in zip(self.dense, self.classifier, strict=True)
        ]
        return Exits(self.layers, tuple(heads))


class AllAnswers(nn.Module):
    """The logits of every exit and of the last layer, one after the other: `[B, (exits + 1) * labels]`."""

    def __init__(self, model: Classifier, heads: ExitHeads) -> None:
        super().__init__()
        self.model, self.heads = model, heads

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        output = self.model.outputs(ids, mask, types)
        exits = self.heads(output.encoded.hidden_states, mask)
        return torch.cat([exits, output.logits[:, None]], dim=1).flatten(1)
