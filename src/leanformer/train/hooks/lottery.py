"""Lottery tickets: the mask of a trained model, on the weights that its training began with.

Paper: Frankle and Carbin 2019 (arXiv 1803.03635).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from leanformer.models.maps import largest
from leanformer.train.hooks.masked import Masked


class LotteryTicket(Masked):
    """Trains the weights that are largest in `trained`, from the values that the model has at the start.

    Args:
        trained: the weight of each map by name after a training of the dense model. density: share of each map that is
            kept; 1 is the same training again.
    """

    name = "lottery"

    def __init__(self, trained: Mapping[str, Tensor], density: float = 0.25) -> None:
        super().__init__({name: largest(weight.abs(), density) for name, weight in trained.items()})
