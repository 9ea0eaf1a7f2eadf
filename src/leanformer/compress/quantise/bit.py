"""BiT: binary weights and inputs of one or a few bits, with learnt scales and shifts of the inputs.

Paper: Liu et al. 2022 (arXiv 2205.13016): elastic binarisation, and distillation through models of falling precision.
Here there is one training, from the answers of the model as it was.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from leanformer.compress.quantise.binary import binary
from leanformer.compress.quantise.nearest import EXACT
from leanformer.models.maps import maps
from leanformer.train.hooks.hook import Run
from leanformer.train.hooks.projected import Projected, StraightThrough


class Elastic(nn.Module):
    """Values on a grid of `bits`, with a learnt scale and shift: round(clip((x - shift) / scale)) scale + shift.

    One bit has the two values -scale and scale around the shift; more bits are a symmetric grid. The gradient passes
    straight through rounding, and not outside of the clipped range. The first input sets the scale.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.scale, self.shift = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))
        self.begun = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.begun:
            with torch.no_grad():
                spread = x.detach().abs()
                self.scale.copy_(spread.mean() if self.bits == 1 else spread.max() / self._high)
            self.begun = True
        inner = (x - self.shift) / self.scale.abs().clamp_min(1e-6)
        clipped = inner.clamp(-self._high, self._high)
        rounded: Tensor = StraightThrough.apply(clipped, self._grid)  # type: ignore[no-untyped-call]
        return rounded * self.scale.abs().clamp_min(1e-6) + self.shift

    @property
    def _high(self) -> int:
        return max(1, 2 ** (self.bits - 1) - 1)

    def _grid(self, inner: Tensor) -> Tensor:
        return torch.where(inner >= 0, 1.0, -1.0) if self.bits == 1 else inner.round()


class BiT(Projected):
    """Trains with binary weights, and inputs of all maps on elastic grids.

    What it attaches to inputs stays, as the model is to be used so; `detach` takes it off. `inputs` is their number of
    bits; from 24 on they are left as they are.
    """

    name = "bit"

    def __init__(self, inputs: int = 4) -> None:
        super().__init__(lambda weight: binary(weight).weight)
        self.inputs = inputs
        self.handles: list[torch.utils.hooks.RemovableHandle] = []

    def begin(self, run: Run) -> None:
        super().begin(run)
        if self.inputs >= EXACT:
            return
        for part in maps(run.model).values():  # type: ignore[arg-type]
            part.elastic = Elastic(self.inputs)
            self.handles.append(part.register_forward_pre_hook(_rounded))

    def detach(self) -> None:
        """Inputs are no longer rounded."""
        for handle in self.handles:
            handle.remove()


def _rounded(part: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return (part.elastic(given[0]), *given[1:])
