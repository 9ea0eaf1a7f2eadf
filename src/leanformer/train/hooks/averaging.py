"""An exponential moving average of the weights is scored and kept; training continues with the raw weights.

Polyak and Juditsky 1992. The decay is warmed up as in TensorFlow's `ExponentialMovingAverage`, so that in a short run
the average is not dominated by the initial weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.hooks.hook import Hook, HookState, Run


class Averaging(Hook):
    """Averages all trained parameters, including the objective's.

    Args:
        decay: share of the average that is retained per step, at most (1 + steps) / (10 + steps). Above 0 and below 1.

    Raises `LeanformerError` for any other decay.
    """

    name = "averaging"

    def __init__(self, decay: float) -> None:
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 < decay < 1:
            raise LeanformerError(f"averaging is a decay above 0 and below 1, such as 0.999, not {decay!r}")
        self._decay, self._steps = decay, 0
        self._weights: dict[str, nn.Parameter] = {}
        self._averages: dict[str, Tensor] = {}
        self._raw: dict[str, Tensor] = {}

    def begin(self, run: Run) -> None:
        self._weights = {name: weight for name, weight in run.modules.named_parameters() if weight.requires_grad}
        self._averages = {name: weight.detach().clone() for name, weight in self._weights.items()}

    def after_step(self, run: Run) -> None:
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, weight in self._weights.items():
            self._averages[name].lerp_(weight.detach(), 1 - decay)

    def before_score(self, run: Run) -> None:
        self._raw = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._put(self._averages)

    def after_score(self, run: Run) -> None:
        self._put(self._raw)
        self._raw = {}

    def state(self) -> HookState:
        return HookState(self._averages, {"steps": self._steps})

    def load_state(self, state: HookState) -> None:
        self._steps = state.values["steps"]
        for name, average in state.tensors.items():
            self._averages[name].copy_(average)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._weights[name].copy_(value)
