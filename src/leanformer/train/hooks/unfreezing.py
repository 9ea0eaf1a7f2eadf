"""Unfreezing part by part: each fit trains some parts of a model, the others keep every bit (Howard and Ruder 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from leanformer.train.hooks.hook import Hook, Run


class Unfrozen(Hook):
    """For one run, only some parts of the model are trained.

    Gradual unfreezing is a run after another, each with one part more.

    Args:
        parts: all parts of the model, by name. trained: the names of those that are trained.
    """

    name = "unfreezing"

    def __init__(self, parts: Mapping[str, nn.Module], trained: Sequence[str]) -> None:
        self._parts, self._trained = parts, trained

    @property
    def parameters(self) -> int:
        """How many parameters are trained."""
        return sum(p.numel() for name in self._trained for p in self._parts[name].parameters())

    def begin(self, run: Run) -> None:
        for name, part in self._parts.items():
            part.requires_grad_(name in self._trained)

    def end(self, run: Run) -> None:
        for part in self._parts.values():
            part.requires_grad_(True)
