"""L0 gates: feed-forward units have learnt random gates, whose probability of being open is penalised.

Paper: Louizos et al. 2018 (arXiv 1712.01312): hard concrete gates, with the constants given there.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from leanformer.models.maps import maps
from leanformer.train.hooks.apart import Apart
from leanformer.train.hooks.hook import Hook, HookState, Run

BETA, LOW, HIGH = 2 / 3, -0.1, 1.1


def drawn(location: Tensor, uniform: Tensor) -> Tensor:
    """Gates for numbers drawn from 0 to 1: a stretched binary concrete variable, cut at 0 and 1."""
    noise = torch.log(uniform) - torch.log1p(-uniform)
    return (torch.sigmoid((noise + location) / BETA) * (HIGH - LOW) + LOW).clamp(0, 1)


def expected(location: Tensor) -> Tensor:
    """The gates to predict with: without noise."""
    return (torch.sigmoid(location) * (HIGH - LOW) + LOW).clamp(0, 1)


def probability_open(location: Tensor) -> Tensor:
    """P(gate > 0)."""
    return torch.sigmoid(location - BETA * math.log(-LOW / HIGH))


class _Push(torch.autograd.Function):
    """The identity, whose gradient has that of `push` times the sum of the probabilities added."""

    @staticmethod
    def forward(context: Any, location: Tensor, push: float) -> Tensor:
        share = probability_open(location)
        context.save_for_backward(share)
        context.push = push
        return location.clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (share,) = context.saved_tensors
        return gradients[0] + context.push * share * (1 - share), None


class Gated(nn.Module):
    """The parametrization of a map `[out, in]` by a gate for each of its inputs."""

    def __init__(self, location: Tensor, push: float, generator: torch.Generator) -> None:
        super().__init__()
        self.location, self.push, self.generator = location, push, generator

    def forward(self, weight: Tensor) -> Tensor:
        if not self.training:
            return weight * expected(self.location)
        pushed: Tensor = _Push.apply(self.location, self.push)  # type: ignore[no-untyped-call]
        uniform = torch.rand(len(pushed), generator=self.generator).clamp(1e-6, 1 - 1e-6)
        return weight * drawn(pushed, uniform)


class L0Gates(Hook):
    """Gates the inputs of the second map of each feed-forward block, and folds the gates into it at the end.

    Args:
        strength: of the penalty on the mean probability that a gate is open. start: the gates' first location; at 50
            all are one, and without strength that is training as usual. rate: the gates' peak rate. seed: of the noise,
            whose generator is apart from that of the training.
    """

    name = "l0"

    def __init__(self, strength: float = 0.5, *, start: float = 2.0, rate: float = 0.1, seed: int = 13) -> None:
        self.strength, self.start, self.apart = strength, start, Apart(rate)
        self.generator = torch.Generator().manual_seed(seed)

    def begin(self, run: Run) -> None:
        parts = _downs(run)
        push = self.strength / sum(part.in_features for part in parts)
        for part in parts:
            location = self.apart.add(torch.full((part.in_features,), self.start))
            parametrize.register_parametrization(part, "weight", Gated(location, push, self.generator))

    def after_step(self, run: Run) -> None:
        self.apart.step(run)

    @torch.no_grad()
    def end(self, run: Run) -> None:
        for part in _downs(run):
            part.eval()
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)

    def state(self) -> HookState:
        return HookState({**self.apart.state().tensors, "generator": self.generator.get_state()}, {})

    def load_state(self, state: HookState) -> None:
        tensors = dict(state.tensors)
        self.generator.set_state(tensors.pop("generator"))
        self.apart.load_state(HookState(tensors, {}))


def _downs(run: Run) -> list[nn.Linear]:
    return [part for name, part in maps(run.model).items() if name.endswith("ffn.down")]  # type: ignore[arg-type]
