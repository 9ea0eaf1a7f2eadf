"""Adapters of linear maps: each chosen map gets a few parameters, which are merged into its weights after the fit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.optimisers import Group

HEAD = "head."


class AdaptedLinear(nn.Linear):
    """A linear map with its own, frozen weights and the parameters of an adapter, which are named in `OWN`."""

    OWN: ClassVar[tuple[str, ...]] = ()

    def __init__(self, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    @abstractmethod
    def merged(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of the plain map that computes the same."""

    @property
    def own(self) -> dict[str, nn.Parameter]:
        """The adapter's parameters by name."""
        return {name: self.get_parameter(name) for name in self.OWN}


class MapAdapter(Adapter):
    """Trains the adapters of the maps named in `on`, in every layer, and the head.

    Args:
        name: for messages. on: names of maps, see `spec.MAPS`.

    Attributes:
        trained: after `merge`, the adapter's parameters of each map by the name of the map.
    """

    def __init__(self, name: str, on: Sequence[str]) -> None:
        self._name, self._on = name, tuple(on)
        self._frozen: list[nn.Parameter] = []
        self._plain: dict[str, nn.Linear] = {}
        self._adapted: dict[str, AdaptedLinear] = {}
        self.trained: dict[str, dict[str, Tensor]] = {}

    @abstractmethod
    def wrap(self, name: str, linear: nn.Linear) -> AdaptedLinear:
        """The map `name` with the adapter's parameters, computing the same as before."""

    def maps(self, model: nn.Module) -> dict[str, nn.Linear]:
        """The maps to wrap, by name."""
        return {
            name: module for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and name.rpartition(".")[2] in self._on and not name.startswith(HEAD)
        }  # fmt: skip

    def attach(self, model: nn.Module) -> None:
        """Freeze all but the head and wrap the maps. Raises `LeanformerError` for a model without such maps."""
        found = self.maps(model)
        if not found:
            raise LeanformerError(
                f"adapter {self._name} changes the maps {', '.join(self._on)}, and this model has none of them\n"
                "  remedy: leave `adapter` out"
            )
        self._frozen = [p for name, p in model.named_parameters() if p.requires_grad and not name.startswith(HEAD)]
        for parameter in self._frozen:
            parameter.requires_grad_(False)
        self._plain = found
        self._adapted = {name: self.wrap(name, linear).to(linear.weight.device) for name, linear in found.items()}
        _put(model, self._adapted)

    def groups(self, model: nn.Module) -> list[Group]:
        own = [parameter for adapted in self._adapted.values() for parameter in adapted.own.values()]
        return [Group([*own, *(p for name, p in model.named_parameters() if name.startswith(HEAD))])]

    @torch.no_grad()
    def merge(self, model: nn.Module) -> None:
        for name, linear in self._plain.items():
            adapted = self._adapted[name]
            self.trained[name] = {key: value.detach() for key, value in adapted.own.items()}
            weight, bias = adapted.merged()
            linear.weight.copy_(weight)
            if bias is not None:
                linear.bias.copy_(bias)
        _put(model, self._plain)
        self._adapted = {}
        for parameter in self._frozen:
            parameter.requires_grad_(True)


def _put(model: nn.Module, modules: Mapping[str, nn.Module]) -> None:
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, module)
