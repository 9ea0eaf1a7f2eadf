"""The Adapter: a small set of parameters that is trained in place of the whole model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import nn

from leanformer.train.optimisers import Group


class Adapter(ABC):
    """Attached to a model before its fit, merged into it afterwards, so that the artifact is a plain model.

    After `attach` the model computes what it computed before. The loop's checkpoints hold the model as attached.
    """

    @abstractmethod
    def attach(self, model: nn.Module) -> None:
        """Add the adapter's parameters, if it has any, and freeze what is not trained."""

    @abstractmethod
    def groups(self, model: nn.Module) -> Sequence[Group]:
        """The parameters that are trained, in place of all of the model's."""

    @abstractmethod
    def merge(self, model: nn.Module) -> None:
        """Leave a plain model that computes what the attached one does, all of it unfrozen."""
