"""Q8BERT: weights and inputs of all maps are quantised in training as they will be afterwards.

Paper: Zafrir et al. 2019 (arXiv 1910.06188). One symmetric scale a tensor: weights by their largest value, inputs by a
moving average of theirs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from leanformer.models.maps import maps
from leanformer.train.hooks.hook import HookState, Run
from leanformer.train.hooks.projected import Projected, StraightThrough


def on_grid(x: Tensor, bits: int, peak: Tensor | None = None) -> Tensor:
    """Values on a symmetric grid up to `peak`, or the largest; from 24 bits on nothing is rounded."""
    if bits >= 24:
        return x
    high = 2 ** (bits - 1) - 1
    scale = ((x.abs().max() if peak is None else peak) / high).clamp_min(1e-12)
    return (x / scale).round().clamp(-high, high) * scale


class Q8Bert(Projected):
    """Trains with `bits` of weights and of inputs; from 24 bits on it is training as usual.

    What it attaches to inputs stays when the training ends, as the model is to be used so; `detach` takes it off.
    `decay` is that of the moving average of the inputs' largest values.
    """

    name = "q8bert"

    def __init__(self, bits: int = 8, *, inputs: int | None = None, decay: float = 0.9) -> None:
        super().__init__(lambda weight: on_grid(weight, bits))
        self.bits, self.inputs, self.decay = bits, inputs or bits, decay
        self.peaks: dict[str, Tensor] = {}
        self.handles: list[torch.utils.hooks.RemovableHandle] = []

    def begin(self, run: Run) -> None:
        super().begin(run)
        for name, part in maps(run.model).items():  # type: ignore[arg-type]
            self.handles.append(part.register_forward_pre_hook(partial(self._round, name)))

    def _round(self, name: str, part: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        x: Tensor = given[0]
        if part.training:
            now = x.detach().abs().max()
            self.peaks[name] = self.decay * self.peaks[name] + (1 - self.decay) * now if name in self.peaks else now
        peak = self.peaks[name]
        rounded = StraightThrough.apply(x, lambda value: on_grid(value, self.inputs, peak))  # type: ignore[no-untyped-call]
        return (rounded, *given[1:])

    def detach(self) -> None:
        """Inputs are no longer rounded."""
        for handle in self.handles:
            handle.remove()

    def state(self) -> HookState:
        return HookState(dict(self.peaks), {})

    def load_state(self, state: HookState) -> None:
        self.peaks = dict(state.tensors)
