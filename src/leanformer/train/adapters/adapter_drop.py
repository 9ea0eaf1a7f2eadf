"""AdapterDrop: Pfeiffer adapters, none of them in the lowest layers (Rückle et al. 2021, arXiv 2010.11918).

In each step so many of the lowest layers have none, drawn from 0 to `dropped`, and in use the lowest `dropped` have
none. Backward passes end at the lowest adapter, which is what makes a step cheaper.
"""

from __future__ import annotations

from random import Random

from torch import nn

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.train.adapters.pfeiffer import Pfeiffer
from leanformer.train.adapters.staying import layers_of, swap
from leanformer.train.hooks.hook import Hook, Run


class AdapterDrop(Pfeiffer, Hook):
    """`dropped`: how many of the lowest layers have no adapter in the end. A step's draw follows from its number."""

    name = "adapter_drop"

    def __init__(self, reduction: int = 16, dropped: int = 3) -> None:
        super().__init__(reduction)
        self.dropped = dropped

    def put(self, model: Classifier) -> list[nn.Parameter]:
        layers = len(layers_of(model))
        if not 0 <= self.dropped < layers:
            raise LeanformerError(
                f"adapter_drop: dropped is {self.dropped}, and the model has {layers} layers\n"
                f"  remedy: 0 to {layers - 1}"
            )
        return super().put(model)

    def without(self, lowest: int) -> None:
        """Switch off the adapters of so many of the lowest layers, and the others on."""
        for number, norm in enumerate(self.norms):
            norm.off = number < lowest

    def before_step(self, run: Run) -> None:
        step = run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step
        self.without(Random(f"adapter_drop {run.settings.seed} {step}").randint(0, self.dropped))

    def before_score(self, run: Run) -> None:
        self.without(self.dropped)

    def task_bytes(self, model: nn.Module) -> int:
        """Those of the adapters that are left in the end, and of the head."""
        lowest = [parameter for norm in self.norms[: self.dropped] for parameter in norm.adapter.parameters()]
        return super().task_bytes(model) - 4 * sum(parameter.numel() for parameter in lowest)

    def merge(self, model: nn.Module) -> None:
        """Take out the lowest adapters."""
        super().merge(model)
        assert isinstance(model, Classifier)
        for layer, adapted in zip(layers_of(model)[: self.dropped], self.norms, strict=False):
            swap(layer, "ffn_norm", adapted.norm)
