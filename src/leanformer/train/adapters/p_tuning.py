"""P-tuning: a soft prompt whose vectors an LSTM and two layers make in training (Liu et al. 2021, arXiv 2103.10385).

After the fit the vectors are kept and what made them is dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.adapters.soft_prompt import PromptedEmbeddings, PromptedEncoder, SoftPrompt, Vectors


class Reparametrised(nn.Module):
    """Vectors `[length, hidden]` from learnt ones by a bidirectional LSTM, a map, ReLU and a map."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        hidden = start.shape[1]
        self.start = nn.Parameter(start)
        self.lstm = nn.LSTM(hidden, hidden // 2, bidirectional=True)
        self.maps = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))

    def forward(self) -> Tensor:
        return self.maps(self.lstm(self.start)[0])


class PTuning(SoftPrompt):
    """`length` vectors before each text, reparametrised during the fit."""

    def prompt(self, start: Tensor) -> nn.Module:
        return Reparametrised(start)

    def task_bytes(self, model: nn.Module) -> int:
        """Those of the vectors and the head."""
        assert isinstance(model, Classifier)
        return 4 * (self.length * model.config.hidden + sum(p.numel() for p in model.head.parameters()))

    @torch.no_grad()
    def merge(self, model: nn.Module) -> None:
        """Replace what makes the vectors by the vectors."""
        super().merge(model)
        assert isinstance(model, Classifier)
        encoder: nn.Module = model.encoder
        assert isinstance(encoder, PromptedEncoder)
        embeddings: nn.Module = encoder.inner.embeddings
        assert isinstance(embeddings, PromptedEmbeddings)
        embeddings.prompt = Vectors(embeddings.prompt().clone())
