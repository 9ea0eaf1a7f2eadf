"""The Hook: called at the events of a training loop, with access to the run."""

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
    """A run as seen by its hooks. What a hook may change at each event is listed at the top of `train.loop`.

    Attributes:
        model: the trained model. modules: model and objective together, as saved in checkpoints.
        settings: of the run. progress: the current progress. total: optimiser steps in all epochs.
        optimizer: None until after `begin`.
    """

    model: nn.Module
    modules: nn.ModuleDict
    settings: FitSettings
    progress: Progress
    total: int
    optimizer: torch.optim.Optimizer | None = None


@dataclass(frozen=True)
class HookState:
    """A hook's state in a checkpoint: tensors, and values that JSON can represent."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


class Hook:
    """Called at the events of a training loop; by default, an event does nothing.

    Class attributes:
        name: the key of its state in a checkpoint; unique among the hooks of a run.
    """

    name = "hook"

    def begin(self, run: Run) -> None:
        """Before the optimiser is created and a checkpoint is loaded."""

    def before_step(self, run: Run) -> None:
        """Before the forward passes of an optimiser step."""

    def after_step(self, run: Run) -> None:
        """After the optimiser's step, before a checkpoint may be written."""

    def before_score(self, run: Run) -> None:
        """Before the weights are scored and, if they are the best, saved as such."""

    def after_score(self, run: Run) -> None:
        """After the weights are scored and possibly saved."""

    def after_epoch(self, run: Run) -> None:
        """After an epoch is scored and counted, before its checkpoint is written."""

    def end(self, run: Run) -> None:
        """After the best weights are restored."""

    def state(self) -> HookState | None:
        """The state needed to resume a run with bit-identical results; None if there is none."""
        return None

    def load_state(self, state: HookState) -> None:
        """Restore what `state` returned."""
