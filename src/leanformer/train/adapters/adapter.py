"""The Adapter: a small set of parameters that is trained instead of the whole model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import nn

from leanformer.train.optimisers import Group


class Adapter(ABC):
    """Attached to a model before the fit and merged into it afterwards, so that the artifact is a plain model.

    `attach` does not change what the model computes. The loop's checkpoints hold the model with the adapter attached.
    """

    @abstractmethod
    def attach(self, model: nn.Module) -> None:
        """Add the adapter's parameters, if any, and freeze everything that is not trained."""

    @abstractmethod
    def groups(self, model: nn.Module) -> Sequence[Group]:
        """The parameters to train, instead of all of the model's."""

    @abstractmethod
    def merge(self, model: nn.Module) -> None:
        """Turn the model into a plain one that computes the same, with nothing frozen."""
