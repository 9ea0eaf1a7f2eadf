"""Quant-Noise: in each step a random share of the blocks of a weight is quantised, the others are not.

Paper: Stock et al. 2021 (arXiv 2004.07320). Gradients of blocks that are not quantised are exact; after the training
the whole weight is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.hooks.projected import Projected, Projection


class QuantNoise(Projected):
    """Quantises each block of neighbours in a row with a probability in each step, and all of them in the end.

    Args:
        project: how a weight is quantised. probability: of a block in a step; with 0 the training is as usual. block:
            number of neighbours, a divisor of a row's length. seed: of the draws, whose generator is apart from that
            of the training.
    """

    name = "quant_noise"

    def __init__(self, project: Projection, probability: float = 0.5, *, block: int = 8, seed: int = 13) -> None:
        generator = torch.Generator().manual_seed(seed)

        def noisy(weight: Tensor) -> Tensor:
            if not torch.is_grad_enabled() and not self.training:
                return project(weight)
            return mixed(weight, project(weight), probability, block, generator)

        super().__init__(noisy)
        self.training = True

    def end(self, run: object) -> None:
        self.training = False
        super().end(run)  # type: ignore[arg-type]


def mixed(weight: Tensor, quantised: Tensor, probability: float, block: int, generator: torch.Generator) -> Tensor:
    """The weight `[out, in]` with a random share of its blocks taken from `quantised`."""
    chosen = torch.rand(weight.shape[0], weight.shape[1] // block, generator=generator) < probability
    return torch.where(chosen.repeat_interleave(block, dim=1), quantised, weight)
