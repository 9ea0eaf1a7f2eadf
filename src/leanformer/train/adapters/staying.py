"""Adapters that stay in the model after the fit: reference techniques that cannot be merged into a plain one."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import nn

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.adapters.maps import HEAD
from leanformer.train.optimisers import Group


class Staying(Adapter):
    """Puts parts into the model and trains them and the head; everything else is frozen during the fit."""

    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._frozen: list[nn.Parameter] = []
        self._own: list[nn.Parameter] = []

    @abstractmethod
    def put(self, model: Classifier) -> list[nn.Parameter]:
        """Put the adapter's parts into the model; returns their parameters, and any others to train."""

    def attach(self, model: nn.Module) -> None:
        """Freeze all but the head and put the parts in. Raises `LeanformerError` for a model without layers."""
        if not isinstance(model, Classifier):
            raise LeanformerError(
                f"a {type(model).__name__} has no layers to adapt\n  remedy: a Transformer classifier"
            )
        self._frozen = [p for name, p in model.named_parameters() if p.requires_grad and not name.startswith(HEAD)]
        for parameter in self._frozen:
            parameter.requires_grad_(False)
        self._own = list({id(parameter): parameter for parameter in self.put(model)}.values())
        for parameter in self._own:
            parameter.requires_grad_(True)

    def groups(self, model: nn.Module) -> list[Group]:
        return [Group([*self._own, *(p for name, p in model.named_parameters() if name.startswith(HEAD))])]

    def merge(self, model: nn.Module) -> None:
        """Thaw what was frozen; the parts stay."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)


def swap(parent: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place of the part `name`."""
    setattr(parent, name, module)


def layers_of(model: Classifier, *, post_norm: bool = False) -> list[Layer]:
    """The layers of a model. With `post_norm`, raises `LeanformerError` where norms come before the blocks."""
    if post_norm and model.config.norm_first:
        raise LeanformerError(
            "this adapter follows the norm after a block, and the model has norms before its blocks\n"
            "  remedy: houlsby or parallel adapters, which do not need it"
        )
    return [layer for layer in model.encoder.layers if isinstance(layer, Layer)]
