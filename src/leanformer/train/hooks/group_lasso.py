"""Group lasso: a penalty on the norm of each feed-forward unit drives the weights of whole units to zero.

Paper: Behnke and Heafield 2021 ("Efficient machine translation with model pruning and quantization"). The penalty is
applied after each step by its proximal operator, so that zeros are exact.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.maps import maps
from leanformer.train.hooks.hook import Hook, Run


def shrunk(norms: Tensor, threshold: float) -> Tensor:
    """The factor of each group of this norm under the proximal operator of `threshold` times the sum of norms."""
    return (1 - threshold / norms.clamp_min(1e-30)).clamp_min(0)


class GroupLasso(Hook):
    """Shrinks every unit, its incoming row and its outgoing column alike, after each step.

    Args:
        strength: of the penalty, in units of the learning rate: each step takes `strength` times the rate off each
            norm; 0 is training as usual.
    """

    name = "group_lasso"

    def __init__(self, strength: float = 60.0) -> None:
        self.strength = strength

    @torch.no_grad()
    def after_step(self, run: Run) -> None:
        assert run.optimizer is not None
        threshold = self.strength * run.optimizer.param_groups[0]["lr"]
        parts = maps(run.model)  # type: ignore[arg-type]
        for name, up in parts.items():
            if name.endswith("ffn.up"):
                down = parts[name.removesuffix("up") + "down"]
                factor = shrunk((up.weight.square().sum(dim=1) + down.weight.square().sum(dim=0)).sqrt(), threshold)
                up.weight.mul_(factor[:, None])
                down.weight.mul_(factor)
