"""Intrinsic dimension: few coordinates, spread over all weights (Aghajanyan et al. 2021, arXiv 2012.13255).

W + s P z with coordinates z `[dimensions]` and a random P with one entry a row: each weight follows one coordinate,
with a random sign, and columns have length 1. Li et al. 2018 (arXiv 1804.08838) compare kinds of P.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.train.adapters.maps import AdaptedLinear, MapAdapter
from leanformer.train.adapters.spec import MAPS
from leanformer.train.optimisers import Group


def spread(weights: int, dimensions: int) -> tuple[Tensor, Tensor]:
    """The coordinate of each weight, int32, and its signed factor, both `[weights]`, from torch's generator.

    Coordinates have equally many weights, but for one; with as many of them as weights, each has its own.
    """
    index = torch.randperm(weights) % dimensions
    counts = torch.bincount(index, minlength=dimensions).clamp(min=1)
    signs = torch.randint(0, 2, (weights,)).mul_(2).sub_(1)
    return index.int(), signs * counts[index].float().rsqrt()


class ProjectedLinear(AdaptedLinear):
    """A linear map whose weights follow shared coordinates."""

    OWN: ClassVar[tuple[str, ...]] = ("z",)

    def __init__(self, linear: nn.Linear, z: nn.Parameter, index: Tensor, factors: Tensor) -> None:
        super().__init__(linear)
        self.z, self.index, self.factors = z, index, factors

    def changed(self) -> Tensor:
        """The weights."""
        return self.weight + (self.z.index_select(0, self.index) * self.factors).view_as(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.changed(), self.bias)

    def merged(self) -> tuple[Tensor, Tensor | None]:
        return self.changed(), self.bias


class Intrinsic(MapAdapter):
    """`dimensions` coordinates for all weights of the maps `on`, which move by `scale` times as much."""

    def __init__(self, dimensions: int = 1000, scale: float = 10.0, on: tuple[str, ...] = MAPS) -> None:
        super().__init__("intrinsic", on)
        self.dimensions, self.scale = dimensions, scale
        self.z = nn.Parameter(torch.zeros(dimensions))
        self._parts: dict[str, tuple[Tensor, Tensor]] = {}

    def attach(self, model: nn.Module) -> None:
        """Draw the matrix and wrap the maps. Raises `LeanformerError` for a model without such maps."""
        sizes = {name: linear.weight.numel() for name, linear in self.maps(model).items()}
        index, factors = spread(sum(sizes.values()), self.dimensions)
        parts = zip(index.split(list(sizes.values())), (self.scale * factors).split(list(sizes.values())), strict=True)
        self._parts = dict(zip(sizes, parts, strict=True))
        self.z.data = torch.zeros(self.dimensions)
        super().attach(model)

    def wrap(self, name: str, linear: nn.Linear) -> ProjectedLinear:
        return ProjectedLinear(linear, self.z, *self._parts[name])

    def groups(self, model: nn.Module) -> list[Group]:
        (group,) = super().groups(model)
        return [Group(list({id(parameter): parameter for parameter in group.parameters}.values()))]
