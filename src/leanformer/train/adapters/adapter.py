"""The Adapter: a small set of parameters that is trained instead of the whole model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from leanformer.train.optimisers import Group


class Adapter(ABC):
    """Attached to a model before the fit and merged into it afterwards, so that the artifact is a plain model.

    `attach` does not change what the model computes. The loop's checkpoints hold the model with the adapter attached.

    Reference ones (`catalog.REFERENCE`) may do otherwise: where `merges` is false, `merge` leaves a model that has
    other parts than a plain one, and prompts change it when they are attached. One that acts on steps is a `Hook` as
    well, one that changes the loss an `ObjectivePart`.
    """

    merges: ClassVar[bool] = True

    @abstractmethod
    def attach(self, model: nn.Module) -> None:
        """Add the adapter's parameters, if any, and freeze everything that is not trained."""

    @abstractmethod
    def groups(self, model: nn.Module) -> Sequence[Group]:
        """The parameters to train, instead of all of the model's."""

    @abstractmethod
    def merge(self, model: nn.Module) -> None:
        """Turn the model into a plain one that computes the same, with nothing frozen."""

    def trained_parameters(self, model: nn.Module) -> int:
        """Number of parameters that are trained, with the head."""
        return sum(parameter.numel() for group in self.groups(model) for parameter in group.parameters)

    def task_bytes(self, model: nn.Module) -> int:
        """Bytes of what a task needs beside a model that several tasks share; fp32. To be asked before `merge`."""
        return 4 * self.trained_parameters(model)
