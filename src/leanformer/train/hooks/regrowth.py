"""Weights that grow again: the smallest living weights die, and as many grow where the gradient is largest.

Paper: RigL, Evci et al. 2020 (arXiv 1911.11134). The number of weights is the same throughout the training. A weight
that grows begins at zero, and one that has just died may grow again, as in the paper's algorithm 1.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from leanformer.models.maps import largest
from leanformer.train.hooks.early_pruning import EarlyPruning
from leanformer.train.hooks.hook import Run
from leanformer.train.hooks.masked import done


class Regrowth(EarlyPruning):
    """Begins with the `density` share of largest weights, and moves some of them every few steps.

    Args:
        density: 1 is training as usual. every: steps from one change to the next. share: of the living weights that
            move at first; it falls as a cosine until `end`, a share of all steps.
    """

    name = "regrowth"

    def __init__(self, density: float = 0.25, *, every: int = 20, share: float = 0.3, end: float = 0.75) -> None:
        super().__init__(density)
        self.every, self.share, self.until = every, share, end
        self.gradients: dict[str, Tensor] = {}

    def begin(self, run: Run) -> None:
        super().begin(run)
        # The optimiser forgets gradients before hooks see them.
        for name, part in self.parts.items():
            part.weight.register_hook(partial(self._keep, name))

    def _keep(self, name: str, gradient: Tensor) -> None:
        self.gradients[name] = gradient.detach()

    @torch.no_grad()
    def updated(self, run: Run) -> None:
        time = done(run)
        if self.density >= 1 or run.progress.step % self.every or time >= self.until:
            return
        share = self.share / 2 * (1 + math.cos(math.pi * time / self.until))
        for name, part in self.parts.items():
            # The optimiser has moved dead weights too, and what grows begins at zero.
            part.weight.mul_(self.masks[name])
            self.masks[name] = moved(part.weight, self.gradients[name], self.masks[name], share)


def moved(weight: Tensor, gradient: Tensor, mask: Tensor, share: float) -> Tensor:
    """The mask with the `share` of smallest living weights gone, and as many grown where the gradient is largest.

    Those that have gone are among those that may grow.
    """
    living = int(mask.sum())
    count = min(round(share * living), mask.numel() - living)
    kept = largest(torch.where(mask, weight.abs(), -torch.inf), (living - count) / mask.numel())
    return kept | largest(torch.where(kept, -torch.inf, gradient.abs()), count / mask.numel())
