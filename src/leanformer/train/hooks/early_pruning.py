"""Early pruning: the pre-trained weights are pruned by magnitude before the task is seen, and the rest is trained.

Paper: Gordon et al. 2020 (arXiv 2002.08307).
"""

from __future__ import annotations

from leanformer.models.maps import largest, maps
from leanformer.train.hooks.hook import Run
from leanformer.train.hooks.masked import Masked


class EarlyPruning(Masked):
    """Trains the `density` share of weights that are largest at the start; 1 is training as usual."""

    name = "early_pruning"

    def __init__(self, density: float = 0.25) -> None:
        super().__init__()
        self.density = density

    def begin(self, run: Run) -> None:
        parts = maps(run.model)  # type: ignore[arg-type]
        self.masks = {name: largest(part.weight.detach().abs(), self.density) for name, part in parts.items()}
        super().begin(run)
