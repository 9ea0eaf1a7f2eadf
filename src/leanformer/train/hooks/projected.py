"""Training of weights that are used through a projection, such as a coarse grid, with its gradient passed straight on.

The estimator is that of Bengio et al. 2013 (arXiv 1308.3432): the latent weight gets the gradient of the projected one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from leanformer.models.maps import maps
from leanformer.train.hooks.hook import Hook, Run

Projection = Callable[[Tensor], Tensor]


class StraightThrough(torch.autograd.Function):
    """A projection whose gradient is the identity."""

    @staticmethod
    def forward(context: Any, weight: Tensor, project: Projection) -> Tensor:
        return project(weight)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Through(nn.Module):
    def __init__(self, project: Projection) -> None:
        super().__init__()
        self.project = project

    def forward(self, weight: Tensor) -> Tensor:
        result: Tensor = StraightThrough.apply(weight, self.project)  # type: ignore[no-untyped-call]
        return result


def install(part: nn.Linear, project: Projection) -> None:
    """From now on the map's weight is the projection of a latent one, which is trained in its place."""
    parametrize.register_parametrization(part, "weight", _Through(project), unsafe=True)


@torch.no_grad()
def remove(part: nn.Linear, *, latent: bool = False) -> Tensor:
    """Give the map a plain weight again, the projected or the `latent` one; that weight."""
    kept = part.parametrizations.weight.original.detach().clone() if latent else part.weight.detach().clone()  # type: ignore[union-attr, operator]
    parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
    part.weight.copy_(kept)
    return part.weight.detach()


class Projected(Hook):
    """Uses the weights of all maps through a projection; at the end they are projected for good."""

    name = "projected"

    def __init__(self, project: Projection) -> None:
        self.project = project

    def begin(self, run: Run) -> None:
        for part in maps(run.model).values():  # type: ignore[arg-type]
            install(part, self.project)

    def end(self, run: Run) -> None:
        for part in maps(run.model).values():  # type: ignore[arg-type]
            remove(part)
