"""BitFit: train only the biases and the head (Ben Zaken, Ravfogel and Goldberg 2022, arXiv 2106.10199).

This is well below one percent of the parameters, and nothing is added to the model. It needs a higher learning rate
than full fine-tuning: 1e-4 to 1e-3.
"""

from __future__ import annotations

from torch import nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.optimisers import Group


class BitFit(Adapter):
    """Trains all biases, including those of norms, and the head."""

    def __init__(self) -> None:
        self._frozen: list[nn.Parameter] = []

    def attach(self, model: nn.Module) -> None:
        """Freeze all other parameters. Raises `LeanformerError` for a model without biases outside its head."""
        if all(_of_head(name) for name in self.names(model)):
            raise LeanformerError(
                "adapter bitfit trains biases, and this model has none\n  remedy: leave `adapter` out"
            )
        trained = set(self.names(model))
        self._frozen = [p for name, p in model.named_parameters() if name not in trained and p.requires_grad]
        for parameter in self._frozen:
            parameter.requires_grad_(False)

    def names(self, model: nn.Module) -> list[str]:
        """The names of the trained parameters."""
        return [name for name, _ in model.named_parameters() if name.endswith("bias") or _of_head(name)]

    def groups(self, model: nn.Module) -> list[Group]:
        return [Group([model.get_parameter(name) for name in self.names(model)])]

    def merge(self, model: nn.Module) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_(True)


def _of_head(name: str) -> bool:
    return name.startswith("head.")
