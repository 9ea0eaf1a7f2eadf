"""AdaMix: several Pfeiffer adapters, drawn in training and averaged afterwards (Wang et al. 2022, 2205.12410).

In each forward pass every layer draws one of the maps down and, apart from it, one of the maps up. A second pass, with
other draws, is to give the same probabilities: half of either Kullback-Leibler divergence is added to the loss.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.models.feedforward.dense import activate
from leanformer.train.adapters.bottleneck import Bottleneck
from leanformer.train.adapters.pfeiffer import Pfeiffer
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.objective import Objective, ObjectivePart


def average(modules: nn.ModuleList) -> nn.Linear:
    """A map with the mean weights and biases of all."""
    maps = [module for module in modules if isinstance(module, nn.Linear)]
    mean = nn.Linear(maps[0].in_features, maps[0].out_features)
    mean.weight = nn.Parameter(torch.stack([linear.weight for linear in maps]).mean(dim=0))
    mean.bias = nn.Parameter(torch.stack([linear.bias for linear in maps]).mean(dim=0))
    return mean


class Experts(nn.Module):
    """Bottlenecks of which a forward pass draws parts from torch's generator in training; their mean otherwise."""

    def __init__(self, hidden: int, width: int, experts: int) -> None:
        super().__init__()
        parts = [Bottleneck(hidden, width) for _ in range(experts)]
        self.downs = nn.ModuleList(part.down for part in parts)
        self.ups = nn.ModuleList(part.up for part in parts)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            down, up = average(self.downs), average(self.ups)
            return up(activate(down(x), "relu"))
        first, second = torch.randint(len(self.downs), (2,)).tolist()
        return self.ups[second](activate(self.downs[first](x), "relu"))

    def averaged(self) -> Bottleneck:
        """One bottleneck with the mean weights."""
        down, up = average(self.downs), average(self.ups)
        made = Bottleneck(down.in_features, down.out_features)
        made.down, made.up = down, up
        return made


class Consistent(Objective):
    """An objective, and the divergence between its forward pass and another one."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, model: Any, batch: Batch) -> Tensor:
        seen: list[Tensor] = []

        def noted(*inputs: Any) -> Tensor:
            seen.append(model(*inputs))
            return seen[-1]

        loss: Tensor = self.objective(noted, batch)
        again = model(batch.ids, batch.mask, batch.types)
        first, second = (F.log_softmax(logits.float(), -1) for logits in (seen[0], again))
        both = F.kl_div(first, second, reduction="none", log_target=True) + F.kl_div(
            second, first, reduction="none", log_target=True
        )
        return loss + both.sum(dim=-1).mean() / 2


class AdaMix(Pfeiffer, ObjectivePart):
    """`experts` adapters in the place of each one."""

    def __init__(self, reduction: int = 16, experts: int = 4) -> None:
        super().__init__(reduction)
        self.experts = experts

    def bottleneck(self, hidden: int) -> nn.Module:
        return Experts(hidden, max(1, hidden // self.reduction), self.experts)

    def around(self, objective: Objective) -> Objective:
        return Consistent(objective)

    def task_bytes(self, model: nn.Module) -> int:
        """Those of one adapter a layer, and of the head."""
        own = sum(parameter.numel() for norm in self.norms for parameter in norm.adapter.parameters())
        return 4 * (self.trained_parameters(model) - own + own // self.experts)

    @torch.no_grad()
    def merge(self, model: nn.Module) -> None:
        """Replace the adapters by their mean."""
        super().merge(model)
        assert isinstance(model, Classifier)
        for norm in self.norms:
            assert isinstance(norm.adapter, Experts)
            norm.adapter = norm.adapter.averaged()
