"""Optimisers, and the parameter groups defined by model, adapter and objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn

from leanformer.errors import LeanformerError
from leanformer.train.eight_bit import AdamW8bit
from leanformer.train.settings import FitSettings


@dataclass(frozen=True)
class Group:
    """Parameters that are trained in the same way; frozen parameters are skipped.

    Attributes:
        parameters: in the order of their module.
        rate: their peak learning rate, without weight decay; None: that of the settings, with decay on matrices.
    """

    parameters: Sequence[nn.Parameter]
    rate: float | None = None


Optimiser: TypeAlias = Callable[[Sequence[Group], FitSettings], torch.optim.Optimizer]
"""Makes the optimiser of a run."""


def adamw(groups: Sequence[Group], settings: FitSettings) -> torch.optim.Optimizer:
    """AdamW with decay on matrices only, as in BERT's training; groups with their own rate use that rate.

    The loop sets each group's rate to the schedule's times the group's `times`.
    """
    return torch.optim.AdamW(_arguments(groups, settings), lr=settings.learning_rate, fused=True)


class EightBitStates:
    """A part of a run (see `train.parts`): AdamW as `adamw` makes it, with moments of eight bits.

    Raises `LeanformerError` for another value than True.
    """

    def __init__(self, value: bool) -> None:
        if value is not True:
            raise LeanformerError(f"eight_bit_states is true or left out, not {value!r}")

    def __call__(self, groups: Sequence[Group], settings: FitSettings) -> torch.optim.Optimizer:
        return AdamW8bit(_arguments(groups, settings), lr=settings.learning_rate)


def _arguments(groups: Sequence[Group], settings: FitSettings) -> list[dict[str, Any]]:
    shared = [p for group in groups if group.rate is None for p in group.parameters if p.requires_grad]
    matrices, vectors = [p for p in shared if p.ndim >= 2], [p for p in shared if p.ndim < 2]
    arguments: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0},
    ]  # fmt: skip
    for group in groups:
        if group.rate is not None and group.parameters:
            times = group.rate / settings.learning_rate if settings.learning_rate else 0.0
            own = [p for p in group.parameters if p.requires_grad]
            arguments.append({"params": own, "weight_decay": 0.0, "times": times})
    return arguments
