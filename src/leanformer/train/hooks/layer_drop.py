"""LayerDrop: in each step, layers are left out at random (Fan, Grave and Joulin 2019, arXiv 1909.11556).

A model trained so keeps more of its quality when layers are removed later (`compress.layer_drop`). A layer that is left
out passes its input on. Which ones are follows from the seed and the step's number alone, so a resumed run draws the
same. Scores are those of the whole model.
"""

from __future__ import annotations

from random import Random
from typing import Any

from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.hooks.hook import Hook, Run


class LayerDrop(Hook):
    """Leaves each layer out of a step with a probability above 0 and below 1; the paper's is 0.2.

    Raises `LeanformerError` for another one, and at the begin of a run whose model has no layers that can be left out.
    """

    name = "layer_drop"

    def __init__(self, probability: float) -> None:
        if not 0 < probability < 1:
            raise LeanformerError(f"layer_drop is a probability above 0 and below 1, not {probability}")
        self._probability = probability
        self._layers: list[nn.Module] = []

    def begin(self, run: Run) -> None:
        self._layers = list(getattr(getattr(run.model, "encoder", None), "layers", ()))
        if not self._layers:
            raise LeanformerError("layer_drop: the model has no layers that can be left out\n  remedy: leave it unset")

    def before_step(self, run: Run) -> None:
        step = run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step
        draw = Random(f"layer_drop {run.settings.seed} {step}")
        for layer in self._layers:
            if draw.random() < self._probability:
                layer.forward = _passed_on

    def after_step(self, run: Run) -> None:
        for layer in self._layers:
            vars(layer).pop("forward", None)


def _passed_on(x: Tensor, places: Any, *, with_probabilities: bool = False) -> tuple[Tensor, None]:
    if with_probabilities:
        raise LeanformerError(
            "layer_drop: a layer that is left out has no attention to compare\n  remedy: attention_weight: 0"
        )
    return x, None
