"""(IA)3: learnt factors of keys, values and the units of the feed-forward block (Liu et al. 2022, arXiv 2205.05638)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from leanformer.train.adapters.maps import AdaptedLinear, MapAdapter


class ScaledLinear(AdaptedLinear):
    """A linear map whose outputs, or with `inputs` its inputs, are multiplied by factors that start at 1."""

    OWN: ClassVar[tuple[str, ...]] = ("factors",)

    def __init__(self, linear: nn.Linear, *, inputs: bool) -> None:
        super().__init__(linear)
        self.inputs = inputs
        self.factors = nn.Parameter(torch.ones(linear.in_features if inputs else linear.out_features))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * self.factors) if self.inputs else super().forward(x) * self.factors

    def merged(self) -> tuple[Tensor, Tensor | None]:
        if self.inputs:
            return self.weight * self.factors, self.bias
        return self.weight * self.factors[:, None], None if self.bias is None else self.bias * self.factors


class Ia3(MapAdapter):
    """Factors of the outputs of the maps `on`; of `down`, of its inputs, which are the units of the block."""

    def __init__(self, on: tuple[str, ...]) -> None:
        super().__init__("ia3", on)

    def wrap(self, name: str, linear: nn.Linear) -> ScaledLinear:
        return ScaledLinear(linear, inputs=name.endswith(".down"))
