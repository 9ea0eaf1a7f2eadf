"""Two linear maps with an activation between them; if gated, multiplied by an activated third (Shazeer 2020)."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.shapes.encoder import EncoderConfig


def activate(x: Tensor, activation: str) -> Tensor:
    """Apply one of `ACTIVATIONS`, or tanh."""
    if activation == "relu":
        return F.relu(x)
    if activation == "tanh":
        return torch.tanh(x)
    return F.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


class FeedForward(nn.Module):
    """The feed-forward block of a layer: each of `width` units has rows of the input maps and an output column."""

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
        """The maps whose rows compute the input of the activation, and of a gate if any."""
        return [self.up] if self.gate is None else [self.up, self.gate]
