"""Training with weights that stay zero: what every way to choose the mask builds on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from leanformer.models.maps import maps
from leanformer.train.hooks.hook import Hook, HookState, Run


class Masked(Hook):
    """Sets the masked weights of all maps to zero, at first and after each step.

    Args:
        masks: for each map by name (see `models.maps.maps`) a mask `[out, in]`, true where weights live; a subclass may
            make them in `begin`, and change them in `updated`.
    """

    name = "masked"

    def __init__(self, masks: Mapping[str, Tensor] | None = None) -> None:
        self.masks: dict[str, Tensor] = dict(masks or {})
        self.parts: dict[str, nn.Linear] = {}

    def begin(self, run: Run) -> None:
        self.parts = maps(run.model)  # type: ignore[arg-type]
        self.apply()

    def after_step(self, run: Run) -> None:
        self.updated(run)
        self.apply()

    def updated(self, run: Run) -> None:
        """Change the masks, after a step."""

    @torch.no_grad()
    def apply(self) -> None:
        """Set masked weights to zero."""
        for name, mask in self.masks.items():
            self.parts[name].weight.mul_(mask)

    def state(self) -> HookState:
        return HookState(dict(self.masks), {})

    def load_state(self, state: HookState) -> None:
        self.masks = {name: mask.bool() for name, mask in state.tensors.items()}


def done(run: Run) -> float:
    """The share of all optimiser steps that are over, after a step."""
    return (run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step) / run.total
