"""Soft movement pruning: a weight is kept while the sigmoid of its learnt score is above a threshold.

Paper: Sanh et al. 2020 (arXiv 2005.07683). A penalty on the mean of the sigmoids pushes scores down, so that the
density is a result and differs between maps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from leanformer.models.maps import maps
from leanformer.train.hooks.hook import Run
from leanformer.train.hooks.movement import MovementPruning, Scored


class AboveThreshold(torch.autograd.Function):
    """A mask of the scores whose sigmoid is above the threshold; its gradient passes straight to the scores.

    The gradient of the penalty, `push` times the sum of the sigmoids, is added to it.
    """

    @staticmethod
    def forward(context: Any, scores: Tensor, threshold: float, push: float) -> Tensor:
        share = torch.sigmoid(scores)
        context.save_for_backward(share)
        context.push = push
        return (share > threshold).to(scores.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (share,) = context.saved_tensors
        return gradients[0] + context.push * share * (1 - share), None, None


class SoftScored(Scored):
    """Scores with a threshold."""

    def __init__(self, scores: Tensor, threshold: float, push: float) -> None:
        super().__init__(scores, 1)
        self.threshold, self.push = threshold, push

    def kept(self) -> Tensor:
        found: Tensor = AboveThreshold.apply(  # type: ignore[no-untyped-call]
            self.scores, self.threshold, self.push
        )
        return found


class SoftMovement(MovementPruning):
    """Keeps weights with sigmoid(score) above `threshold`; scores begin at 0.

    Args:
        strength: of the penalty on the mean sigmoid of all scores. threshold: below 0 everything is kept, which is
            training as usual. rate: the peak rate of the scores.
    """

    name = "soft_movement"

    def __init__(self, strength: float = 400.0, *, threshold: float = 0.1, rate: float = 0.05) -> None:
        super().__init__(rate=rate)
        self.strength, self.threshold = strength, threshold
        self.push = 0.0

    def begin(self, run: Run) -> None:
        parts = list(maps(run.model).values())  # type: ignore[arg-type]
        self.push = self.strength / sum(part.in_features * part.out_features for part in parts)
        super().begin(run)

    def scores_of(self, scores: Tensor) -> Scored:
        return SoftScored(scores, self.threshold, self.push)
