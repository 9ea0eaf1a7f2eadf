"""Training several members of a model in each step: the largest, the smallest, and some in between.

The sandwich rule is that of Yu and Huang 2019 (arXiv 1903.05134); widths before depths is that of DynaBERT (Hou et al.
2020). Which members a step trains follows from the seed and the step's number alone, so a resumed run draws the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import torch
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.models.subnet import InPlace, Member
from leanformer.train.feeds.batches import Batch
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.objectives.distillation import Distillation
from leanformer.train.objectives.objective import Objective


class Members(Objective):
    """The mean of the members' distillation losses.

    Args:
        losses: the loss for members of each number of layers.
        drawn: the members of the next block; `Sandwich` draws them in training.
    """

    def __init__(self, losses: Mapping[int, Distillation], drawn: Sequence[Member]) -> None:
        super().__init__()
        self._losses, self.drawn = dict(losses), tuple(drawn)
        self._frames: dict[Member, InPlace] = {}

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        values = []
        for member in self.drawn:
            if member not in self._frames:
                self._frames[member] = InPlace(model, member)
            values.append(self._losses[len(member.layers)](self._frames[member], batch))
        return torch.stack(values).mean()


class Sandwich(Hook):
    """Draws the members of each step.

    Args:
        members: [number of depth][number of width], from the largest; the widths of the first depth are trained alone
            until the share `depth_from` of the steps.
        between: how many members are drawn besides the largest and the smallest.
    """

    name = "sandwich"

    def __init__(
        self, objective: Members, members: Sequence[Sequence[Member]], *, between: int, depth_from: float, seed: int
    ) -> None:
        self._objective, self._members = objective, members
        self._between, self._depth_from, self._seed = between, depth_from, seed

    def before_step(self, run: Run) -> None:
        step = run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step
        self._objective.drawn = self.drawn(step, run.total)

    def drawn(self, step: int, total: int) -> tuple[Member, ...]:
        """The members of a step (from 0) of `total`: the largest, the smallest, others at random, without repeats."""
        depths = self._members if step >= self._depth_from * total else self._members[:1]
        pool = [member for of_depth in depths for member in of_depth]
        inner = pool[1:-1]
        drawn = Random(f"{self._seed} {step}").sample(inner, min(self._between, len(inner)))
        return tuple(dict.fromkeys((pool[0], *drawn, pool[-1])))
