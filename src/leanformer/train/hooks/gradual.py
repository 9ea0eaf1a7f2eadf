"""Gradual magnitude pruning: the sparsity rises as a cubic while the model trains.

Paper: Zhu and Gupta 2017 (arXiv 1710.01878).
"""

from __future__ import annotations

from leanformer.errors import LeanformerError
from leanformer.models.maps import largest
from leanformer.train.hooks.hook import Run
from leanformer.train.hooks.masked import Masked, done


class GradualPruning(Masked):
    """Leaves the `density` share of largest weights of each map; 1 is training as usual.

    Args:
        density: at the end. start, end: the shares of all steps between which weights are pruned; before and after,
            the model trains with the mask as it is.
    """

    name = "gradual"

    def __init__(self, density: float = 0.25, *, start: float = 0.1, end: float = 0.7) -> None:
        super().__init__()
        if not 0 < density <= 1 or not 0 <= start < end <= 1:
            raise LeanformerError("gradual: a density above 0 and at most 1, and 0 <= start < end <= 1")
        self.density, self.between = density, (start, end)

    def updated(self, run: Run) -> None:
        start, end = self.between
        share = cubic((done(run) - start) / (end - start), self.density)
        if share < 1:
            # The optimiser has moved pruned weights too, and they stay pruned.
            self.masks = {
                name: largest(part.weight.detach().abs() * self.masks.get(name, 1), share)
                for name, part in self.parts.items()
            }


def cubic(time: float, density: float) -> float:
    """The density at a time from 0 to 1: 1 - (1 - density) (1 - (1 - t)^3)."""
    left = 1 - min(max(time, 0.0), 1.0)
    return 1 - (1 - density) * (1 - left**3)
