"""A recurrent classifier: embeddings, one bidirectional LSTM, a projection, logits; the student of XtremeDistil.

Mukherjee and Awadallah 2020 (arXiv 2004.05686). The projection is as wide as the states of a Transformer teacher, so
that it can be trained to match them; its output is the student's own state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.dropout import Dropout
from leanformer.shapes.recurrent import PARTS, BiLstmConfig


@dataclass(frozen=True)
class BiLstmOutput:
    """Logits `[B, labels]` or, per token, `[B, S, labels]`, and the states that they are computed from, likewise."""

    logits: Tensor
    states: Tensor


class BiLstm(nn.Module):
    """A text or token classifier with PyTorch's initialisation, except embeddings: standard deviation 0.05."""

    def __init__(self, config: BiLstmConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.lstm = nn.LSTM(config.embedding, config.units, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * config.units, config.projection)
        self.head = nn.Linear(config.projection, config.labels)
        self.dropout = Dropout(config.dropout)

    def forward(self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None) -> Tensor:
        """Logits `[B, labels]` or `[B, S, labels]` for ids `[B, S]` and mask `[B, S]`; token types are ignored."""
        return self.head(self.dropout(self.states(ids, mask)))

    def outputs(self, ids: Tensor, mask: Tensor) -> BiLstmOutput:
        """Logits and the states they are computed from."""
        states = self.states(ids, mask)
        return BiLstmOutput(self.head(self.dropout(states)), states)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """GELU(W h + b): `[B, S, projection]`, or `[B, projection]` with pooling of both ends."""
        lengths = mask.sum(dim=1)
        read = both_ways(self.lstm, self.dropout(self.embedding(ids)), lengths)
        if self.config.pooling == "ends":
            units, rows = self.config.units, torch.arange(len(ids), device=ids.device)
            read = torch.cat([read[rows, lengths - 1, :units], read[:, 0, units:]], dim=1)
        return F.gelu(self.projection(self.dropout(read)))

    def parts(self) -> dict[str, nn.Module]:
        """The modules of `PARTS`, by name."""
        return {name: getattr(self, name) for name in PARTS}


def both_ways(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """Outputs `[B, S, 2 H]` of a one-layer bidirectional LSTM for padded rows `[B, S, E]` with `lengths` real tokens.

    Each direction is a separate pass over rows with the padding at the end, so it reaches the padding only after all
    real tokens. For the backward direction each row is reversed within its length. PyTorch's packed sequences give the
    same result but take its slower path on a CPU. Outputs at padding are meaningless.
    """
    places = torch.arange(x.shape[1], device=x.device)[None, :]
    turned = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
    there = _one_way(lstm, x, "")
    back = _one_way(lstm, _taken(x, turned), "_reverse")
    return torch.cat([there, _taken(back, turned)], dim=2)


def _taken(x: Tensor, places: Tensor) -> Tensor:
    """The tokens of each row at positions `places` `[B, S]`."""
    return x.gather(1, places[:, :, None].expand(-1, -1, x.shape[2]))


def _one_way(lstm: nn.LSTM, x: Tensor, end: str) -> Tensor:
    """One direction over rows, from their first token, with the weights whose names have this suffix."""
    start = x.new_zeros(1, x.shape[0], lstm.hidden_size)
    weights = [getattr(lstm, f"{name}_l0{end}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    result: Tensor = torch.lstm(x, (start, start), weights, True, 1, 0.0, lstm.training, False, True)[0]
    return result
