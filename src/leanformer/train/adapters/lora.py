"""LoRA: a low-rank update of linear maps (Hu et al. 2022, arXiv 2106.09685), and DoRA (Liu et al. 2024, 2402.09353).

LoRA computes W + s B A with A `[rank, in]`, B `[out, rank]` and s = alpha / rank. DoRA learns the length of each row as
well: m (W + s B A) / |W + s B A|, with the lengths m `[out]`. In training its norm is a constant for the gradient, as
in section 4.3 of the paper.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.train.adapters.maps import AdaptedLinear, MapAdapter


class LoraLinear(AdaptedLinear):
    """A linear map with a low-rank update, nought at the start. A is drawn from torch's generator."""

    OWN: ClassVar[tuple[str, ...]] = ("lora_a", "lora_b")

    def __init__(self, linear: nn.Linear, rank: int, scaling: float) -> None:
        super().__init__(linear)
        self.scaling = scaling
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def _update(self) -> Tensor:
        return self.scaling * (self.lora_b @ self.lora_a)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.scaling * F.linear(F.linear(x, self.lora_a), self.lora_b)

    def merged(self) -> tuple[Tensor, Tensor | None]:
        return self.weight + self._update(), self.bias


class DoraLinear(LoraLinear):
    """A linear map with a low-rank update of its rows' directions, and their lengths."""

    OWN: ClassVar[tuple[str, ...]] = ("lora_a", "lora_b", "magnitude")

    def __init__(self, linear: nn.Linear, rank: int, scaling: float) -> None:
        super().__init__(linear, rank, scaling)
        self.magnitude = nn.Parameter(linear.weight.detach().norm(dim=1))

    def _factors(self) -> Tensor:
        """What each row of W + s B A is multiplied by, `[out]`; a row of noughts has no direction and stays."""
        return self.magnitude / (self.weight + self._update()).detach().norm(dim=1).clamp_min(1e-12)

    def forward(self, x: Tensor) -> Tensor:
        low = F.linear(F.linear(x, self.lora_a), self.lora_b)
        mapped = self._factors() * (F.linear(x, self.weight) + self.scaling * low)
        return mapped if self.bias is None else mapped + self.bias

    def merged(self) -> tuple[Tensor, Tensor | None]:
        return self._factors()[:, None] * (self.weight + self._update()), self.bias


class Lora(MapAdapter):
    """Low-rank updates of the maps `on`; with `directions`, those of DoRA."""

    def __init__(self, rank: int, alpha: float, on: tuple[str, ...], *, directions: bool = False) -> None:
        super().__init__("dora" if directions else "lora", on)
        self.rank, self.alpha, self.directions = rank, alpha, directions

    def wrap(self, name: str, linear: nn.Linear) -> LoraLinear:
        kind = DoraLinear if self.directions else LoraLinear
        return kind(linear, self.rank, self.alpha / self.rank)
