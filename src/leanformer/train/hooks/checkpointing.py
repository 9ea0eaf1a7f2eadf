"""Gradient checkpointing: activations inside a layer are computed again in the backward pass instead of being kept.

Chen, Xu, Zhang and Guestrin 2016 (arXiv 1604.06174), with one segment per layer: between the passes, only the layers'
inputs are kept, and the activations of one layer at a time. The forward pass is done twice, about a third of a step
more. The random generator is put back for it, so that dropout drops the same and the gradient is the same.
"""

from __future__ import annotations

from leanformer.errors import LeanformerError
from leanformer.models.encoder import Encoder
from leanformer.train.hooks.hook import Hook, Run


class Checkpointing(Hook):
    """Switches it on in the encoders of the model, for one run.

    Raises `LeanformerError` for another value than True, and, when the run begins, for a model without an encoder.
    """

    name = "checkpointing"

    def __init__(self, value: bool) -> None:
        if value is not True:
            raise LeanformerError(f"checkpointing is true or left out, not {value!r}")
        self._encoders: list[Encoder] = []

    def begin(self, run: Run) -> None:
        self._encoders = [module for module in run.model.modules() if isinstance(module, Encoder)]
        if not self._encoders:
            raise LeanformerError(
                "checkpointing keeps the inputs of a Transformer's layers, and this model has none\n"
                "  remedy: leave `checkpointing` out"
            )
        self._set(True)

    def end(self, run: Run) -> None:
        self._set(False)

    def _set(self, value: bool) -> None:
        for encoder in self._encoders:
            encoder.recomputes = value
