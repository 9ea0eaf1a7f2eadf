"""Stabilised lottery tickets: the mask of a trained model, on weights of a few steps into its training, as signs.

Paper: Brix et al. 2020 (arXiv 2005.03454): late resetting, and constants in place of the kept weights' values.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from leanformer.train.hooks.hook import Run
from leanformer.train.hooks.lottery import LotteryTicket


class StabilisedTicket(LotteryTicket):
    """Trains the weights that are largest in `trained` from values of an early step.

    Args:
        trained: as in `LotteryTicket`. early: the weights of an early step, or None for those that the model has.
        density: share of each map that is kept. signs: all kept weights of a map begin with their sign times the mean
            absolute value of those kept; otherwise with their own values, which with a density of 1 and without
            `early` is training as usual.
    """

    name = "stabilised_lottery"

    def __init__(
        self, trained: Mapping[str, Tensor], early: Mapping[str, Tensor] | None = None, density: float = 0.25, *,
        signs: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(trained, density)
        self.early, self.signs = early, signs

    @torch.no_grad()
    def begin(self, run: Run) -> None:
        super().begin(run)
        for name, part in self.parts.items():
            values = part.weight if self.early is None else self.early[name]
            part.weight.copy_(constants(values, self.masks[name]) if self.signs else values * self.masks[name])


def constants(weight: Tensor, mask: Tensor) -> Tensor:
    """The signs of the kept weights, times the mean absolute value of those; zero elsewhere."""
    return weight.sign() * mask * weight.abs()[mask].mean()
