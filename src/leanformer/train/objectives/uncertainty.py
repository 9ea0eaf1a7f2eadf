"""A sum of losses with learnt weights, from the uncertainty of each (Kendall, Gal and Cipolla 2018).

The sum is over exp(-s) L + s / 2 for each loss L. The log variance s is learnt and starts at 0, so that the sum is
initially the same as without.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.objective import Objective, ObjectivePart, Sum

# Peak learning rate of log variances: they must change by about 1 within the few steps of a fine-tuning.
RATE = 1e-2


class Uncertainty(ObjectivePart):
    """Balances the losses of an objective. Raises `LeanformerError` for a value other than true."""

    def __init__(self, wanted: bool) -> None:
        if wanted is not True:
            raise LeanformerError(f"uncertainty is true or left out, not {wanted!r}")

    def around(self, objective: Objective) -> Objective:
        """Wrap the objective. Raises `LeanformerError` if it is not a sum of several losses."""
        if not isinstance(objective, Sum) or len(objective.weighed) < 2:
            raise LeanformerError(
                "uncertainty weighs several losses against each other, and here there is one\n"
                "  remedy: leave `uncertainty` out, or give more losses a weight"
            )
        return UncertaintyWeighted(objective)


class UncertaintyWeighted(Objective):
    """The losses of `inner`, each weighted by its own uncertainty; losses of weight 0 are not included."""

    rate = RATE

    def __init__(self, inner: Sum) -> None:
        super().__init__()
        self.inner = inner
        self.log_variances = nn.Parameter(torch.zeros(len(inner.weighed)))

    def forward(self, model: Any, batch: Batch) -> Tensor:
        losses = self.inner.parts(model, batch)
        parts = torch.stack([losses[name] for name in self.inner.weighed])
        return ((-self.log_variances).exp() * parts + self.log_variances / 2).sum()
