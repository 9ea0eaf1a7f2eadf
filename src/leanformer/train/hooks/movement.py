"""Movement pruning: weights are kept by learnt scores, which grow where weights move away from zero.

Paper: Sanh et al. 2020 (arXiv 2005.07683). The mask is that of the largest scores; its gradient passes straight to
them, so that a score has the gradient of the weight it masks times that weight. With `block`, a score is that of a
block (Lagunas et al. 2021, arXiv 2109.04838).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from leanformer.models.maps import largest, maps
from leanformer.train.hooks.apart import Apart
from leanformer.train.hooks.gradual import cubic
from leanformer.train.hooks.hook import Hook, HookState, Run
from leanformer.train.hooks.masked import done


class TopScores(torch.autograd.Function):
    """A mask of the `density` share of largest scores; its gradient passes straight to the scores."""

    @staticmethod
    def forward(context: Any, scores: Tensor, density: float) -> Tensor:
        return largest(scores, density).to(scores.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class Scored(nn.Module):
    """The parametrization of a weight by a mask of learnt scores, one for each block."""

    def __init__(self, scores: Tensor, block: int) -> None:
        super().__init__()
        self.scores, self.block, self.density = scores, block, 1.0

    def kept(self) -> Tensor:
        """A one for each score whose weights are kept, a zero for each other, of the scores' shape."""
        found: Tensor = TopScores.apply(self.scores, self.density)  # type: ignore[no-untyped-call]
        return found

    def forward(self, weight: Tensor) -> Tensor:
        kept = self.kept()
        return weight * kept.repeat_interleave(self.block, dim=0).repeat_interleave(self.block, dim=1)


class MovementPruning(Hook):
    """Leaves the `density` share of weights of each map whose scores are largest; 1 is training as usual.

    Args:
        density: at the end; it falls as a cubic between the shares `start` and `end` of all steps.
        block: side of the square blocks that have a score each; 1: single weights. rate: the peak rate of the scores.
    """

    name = "movement"

    def __init__(
        self, density: float = 0.25, *, block: int = 1, start: float = 0.1, end: float = 0.7, rate: float = 0.01
    ) -> None:
        self.density, self.block, self.between = density, block, (start, end)
        self.apart, self.scored = Apart(rate), list[Scored]()

    def scores_of(self, scores: Tensor) -> Scored:
        """The parametrization of a map's weight by these scores."""
        return Scored(scores, self.block)

    def begin(self, run: Run) -> None:
        for part in maps(run.model).values():  # type: ignore[arg-type]
            scores = self.apart.add(torch.zeros([size // self.block for size in part.weight.shape]))
            self.scored.append(self.scores_of(scores))
            parametrize.register_parametrization(part, "weight", self.scored[-1])

    def after_step(self, run: Run) -> None:
        self.apart.step(run)
        self.set_density(run)

    def set_density(self, run: Run) -> None:
        """Let the density fall."""
        start, end = self.between
        now = cubic((done(run) - start) / (end - start), self.density)
        for scored in self.scored:
            scored.density = now

    @torch.no_grad()
    def end(self, run: Run) -> None:
        for part in maps(run.model).values():  # type: ignore[arg-type]
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)

    def state(self) -> HookState:
        return self.apart.state()

    def load_state(self, state: HookState) -> None:
        self.apart.load_state(state)
