"""The Hook: what may act at the events of a training loop, and what it is shown there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from leanformer.train.progress import Progress
from leanformer.train.settings import FitSettings


@dataclass
class Run:
    """A run as its hooks see it. What each event may change stands at the top of `train.loop`.

    Attributes:
        model: what is trained. modules: model and objective together, as they are checkpointed.
        settings: of the run. progress: where it stands. total: optimiser steps of all epochs.
        optimizer: None until `begin` is over.
    """

    model: nn.Module
    modules: nn.ModuleDict
    settings: FitSettings
    progress: Progress
    total: int
    optimizer: torch.optim.Optimizer | None = None


@dataclass(frozen=True)
class HookState:
    """What a checkpoint keeps of a hook: tensors, and values that JSON can hold."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


class Hook:
    """Acts at the events of a training loop; one that it does not define passes.

    Class attributes:
        name: by which the checkpoint knows its state; no two hooks of a run have the same.
    """

    name = "hook"

    def begin(self, run: Run) -> None:
        """Before the optimiser is made and a checkpoint is read."""

    def before_step(self, run: Run) -> None:
        """Before the forward passes of an optimiser step."""

    def after_step(self, run: Run) -> None:
        """After the optimiser's step, before a checkpoint may be written."""

    def before_score(self, run: Run) -> None:
        """Before the weights are scored and, if they are the best, kept."""

    def after_score(self, run: Run) -> None:
        """After that."""

    def after_epoch(self, run: Run) -> None:
        """When an epoch is scored and counted, before its checkpoint is written."""

    def end(self, run: Run) -> None:
        """After the best weights were put back."""

    def state(self) -> HookState | None:
        """What a run that is taken up needs to go on to the same bytes; None where there is nothing."""
        return None

    def load_state(self, state: HookState) -> None:
        """Put back what `state` gave."""
