"""Two linear maps with an activation between them; if gated, the activation of a third one (Shazeer 2020)."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.shapes.encoder import EncoderConfig


def activate(x: Tensor, activation: str) -> Tensor:
    """One of `ACTIVATIONS`, or tanh."""
    if activation == "relu":
        return F.relu(x)
    if activation == "tanh":
        return torch.tanh(x)
    return F.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


class FeedForward(nn.Module):
    """The block of a layer: `width` units, each with rows of the maps in and a column of the map out."""

    UNIT_ROWS: ClassVar[tuple[str, ...]] = ("up", "gate")
    """Maps of which each unit owns a row."""
    UNIT_COLUMNS: ClassVar[tuple[str, ...]] = ("down",)
    """Maps of which each unit owns a column."""

    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(config.hidden, width, bias=config.ffn_bias)
        self.gate = nn.Linear(config.hidden, width, bias=config.ffn_bias) if config.gated_ffn else None
        self.down = nn.Linear(width, config.hidden, bias=config.ffn_bias)
        self.activation = config.activation

    def forward(self, x: Tensor) -> Tensor:
        if self.gate is None:
            return self.down(activate(self.up(x), self.activation))
        return self.down(activate(self.gate(x), self.activation) * self.up(x))

    @property
    def incoming(self) -> list[nn.Linear]:
        """The maps whose rows make what goes into the activation, and into a gate."""
        return [self.up] if self.gate is None else [self.up, self.gate]
