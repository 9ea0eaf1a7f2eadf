"""Diff pruning: a sparse change of the weights, by gates whose number is penalised (Guo et al. 2021, arXiv 2012.07463).

W + z * w with a change w and hard-concrete gates z in 0 to 1, drawn in each pass (Louizos et al. 2018); the expected
number of open gates is added to the loss. After a share of the steps the largest changes are kept, the others are
nought, and training goes on with these. Gates are single ones, without the paper's groups of a matrix.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.maps import AdaptedLinear, MapAdapter
from leanformer.train.hooks.hook import Hook, HookState, Run

_LOW, _HIGH, _TEMPERATURE = -1.5, 1.5, 0.9  # the interval that gates are stretched to, and their temperature
_START = 5.0  # of the gates' logits: nearly all are open at first


def gates(logits: Tensor, *, drawn: bool) -> Tensor:
    """Hard-concrete gates in 0 to 1, drawn from torch's generator, or those of the mean logistic noise."""
    if drawn:
        uniform = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
        logits = (uniform.logit() + logits) / _TEMPERATURE
    return (logits.sigmoid() * (_HIGH - _LOW) + _LOW).clamp(0, 1)


def open_share(logits: Tensor) -> Tensor:
    """The probability that a gate is not nought, the mean over all."""
    return (logits - _TEMPERATURE * math.log(-_LOW / _HIGH)).sigmoid().mean()


class GatedDifference(AdaptedLinear):
    """A linear map with a gated change of its weights; once `mask` is set, it stands for the gates."""

    OWN: ClassVar[tuple[str, ...]] = ("change", "logits")

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.change = nn.Parameter(torch.zeros_like(linear.weight))
        self.logits = nn.Parameter(torch.full_like(linear.weight, _START))
        self.mask: Tensor | None = None

    def difference(self, *, drawn: bool = False) -> Tensor:
        """The change of the weights."""
        return self.change * (gates(self.logits, drawn=drawn) if self.mask is None else self.mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight + self.difference(drawn=self.training), self.bias)

    def merged(self) -> tuple[Tensor, Tensor | None]:
        return self.weight + self.difference(), self.bias


class DiffPruning(MapAdapter, Hook):
    """Keeps `share` of the changes of the maps `on` after the share `searched` of the steps.

    `penalty` is the weight of the share of open gates in the loss. Raises `LeanformerError` for a share outside 0 to 1.
    """

    name = "diff_pruning"

    def __init__(
        self, share: float = 0.05, penalty: float = 0.1, searched: float = 0.6,
        on: tuple[str, ...] = ("query", "value"),
    ) -> None:  # fmt: skip
        super().__init__("diff_pruning", on)
        if not (0 <= share <= 1 and 0 <= searched <= 1):
            raise LeanformerError(f"diff_pruning: shares {share} and {searched}\n  remedy: numbers from 0 to 1")
        self.share, self.penalty, self.searched = share, penalty, searched

    def wrap(self, name: str, linear: nn.Linear) -> GatedDifference:
        return GatedDifference(linear)

    @property
    def differences(self) -> list[GatedDifference]:
        """The adapted maps."""
        return [adapted for adapted in self._adapted.values() if isinstance(adapted, GatedDifference)]

    @torch.no_grad()
    def fix(self) -> None:
        """Keep the largest changes, and set all others to nought."""
        parts = [adapted.difference() for adapted in self.differences]
        sizes = torch.cat([part.abs().flatten() for part in parts])
        mask = torch.zeros(len(sizes), dtype=parts[0].dtype)
        mask[sizes.topk(round(self.share * len(sizes))).indices] = 1.0
        for adapted, kept in zip(self.differences, mask.split([part.numel() for part in parts]), strict=True):
            adapted.change.copy_(adapted.difference())
            adapted.mask = kept.view_as(adapted.change)

    def before_step(self, run: Run) -> None:
        done = run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step
        if self.differences[0].mask is not None:
            return
        if done >= self.searched * run.total:
            self.fix()
        elif self.penalty:
            opened = torch.stack([open_share(adapted.logits) for adapted in self.differences]).mean()
            (self.penalty * opened).backward()

    def trained_parameters(self, model: nn.Module) -> int:
        """The changes that are kept, and the head; as many again and their gates are searched."""
        own = sum(adapted.change.numel() for adapted in self.differences)
        return super().trained_parameters(model) - 2 * own + round(self.share * own)

    def task_bytes(self, model: nn.Module) -> int:
        """A value and its place for each change that is kept, and the head."""
        own = sum(adapted.change.numel() for adapted in self.differences)
        return 4 * (self.trained_parameters(model) + round(self.share * own))

    def state(self) -> HookState:
        masks = {
            str(number): adapted.mask for number, adapted in enumerate(self.differences) if adapted.mask is not None
        }
        return HookState(masks, {})

    def load_state(self, state: HookState) -> None:
        for number, adapted in enumerate(self.differences):
            adapted.mask = state.tensors.get(str(number))
