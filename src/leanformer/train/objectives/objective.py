"""The Objective protocol and the simplest objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.task import Task
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.answers import LOSSES
from leanformer.train.optimisers import Group


class Learnable(nn.Module):
    """A module in a loss, which may have its own parameters and may learn something for decoding the task's answers.

    Attributes:
        rate: the peak learning rate of its own parameters, without weight decay; None: as for the model.
    """

    rate: float | None = None

    def groups(self) -> list[Group]:
        """Its parameter groups for the optimiser; nested modules define their own groups."""
        inner = list(self._inside(self))
        theirs = {id(p) for module in inner for p in module.parameters()}
        own = Group([p for p in self.parameters() if id(p) not in theirs], self.rate)
        return [own, *(group for module in inner for group in module.groups())]

    def learnt(self, task: Task) -> Task:
        """The task with what has been learnt for decoding so far (tag transitions)."""
        for module in self._inside(self):
            task = module.learnt(task)
        return task

    @classmethod
    def _inside(cls, module: nn.Module) -> Iterator[Learnable]:
        for child in module.children():
            if isinstance(child, Learnable):
                yield child
            else:
                yield from cls._inside(child)


class Objective(Learnable):
    """A loss over one block. A subclass defines `forward(model, batch)`: the mean loss per row, a scalar."""

    def forward(self, model: Any, batch: Batch) -> Tensor:
        raise NotImplementedError


class Sum(Objective):
    """A sum of losses, which `parts` returns individually."""

    weighed: tuple[str, ...] = ()
    """The names of those that have a weight above 0."""

    def parts(self, model: Any, batch: Batch) -> dict[str, Tensor]:
        """Each loss, multiplied by its weight, by name, in the order of summation."""
        raise NotImplementedError

    def forward(self, model: Any, batch: Batch) -> Tensor:
        first, *others = self.parts(model, batch).values()
        for loss in others:
            first = first + loss
        return first


class ObjectivePart(ABC):
    """A part of a run that modifies its objective (see `train.parts`)."""

    @abstractmethod
    def around(self, objective: Objective) -> Objective:
        """The objective to use instead of `objective`."""


class RowLoss(Learnable):
    """A loss against the labels of a block. A subclass defines `forward(logits, batch)`: one loss per row, `[B]`."""

    def forward(self, logits: Tensor, batch: Batch) -> Tensor:
        raise NotImplementedError


class LabelLoss(RowLoss):
    """The loss of the task's answer form: cross-entropy, binary cross-entropy or squared error."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._loss = LOSSES[answer].hard

    def forward(self, logits: Tensor, batch: Batch) -> Tensor:
        return self._loss(logits, batch.labels)


class Supervised(Objective):
    """A loss against labels only, such as that of the task's answer form (`LabelLoss`)."""

    def __init__(self, loss: RowLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        each: Tensor = self.loss(batch.of_examples(model(batch.ids, batch.mask, batch.types).float()), batch)
        return each.mean()
