"""Gradual unfreezing: each fit trains some parts of a model, the others stay bit-identical (Howard and Ruder 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from leanformer.train.hooks.hook import Hook, Run


class Unfrozen(Hook):
    """Trains only some parts of the model during one run.

    For gradual unfreezing, run several times with one more part each time.

    Args:
        parts: all parts of the model, by name. trained: the names of the parts to train.
    """

    name = "unfreezing"

    def __init__(self, parts: Mapping[str, nn.Module], trained: Sequence[str]) -> None:
        self._parts, self._trained = parts, trained

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return sum(p.numel() for name in self._trained for p in self._parts[name].parameters())

    def begin(self, run: Run) -> None:
        for name, part in self._parts.items():
            part.requires_grad_(name in self._trained)

    def end(self, run: Run) -> None:
        for part in self._parts.values():
            part.requires_grad_(True)
