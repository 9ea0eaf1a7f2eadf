"""DyLoRA: LoRA of which every smaller rank is a LoRA too (Valipour et al. 2023, arXiv 2210.07558).

Each step draws a rank b up to the whole one, and computes W + alpha / b B A with the first b columns of B and rows of
A. With `frozen`, the step changes row and column number b alone, the paper's cheaper variant.
"""

from __future__ import annotations

from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.train.adapters.lora import Lora, LoraLinear
from leanformer.train.hooks.hook import Hook, Run


def first(a: Tensor, b: Tensor, rank: int, *, frozen: bool = False) -> tuple[Tensor, Tensor]:
    """The first `rank` rows of A and columns of B; with `frozen`, all but the last of each are constants."""
    a, b = a[:rank], b[:, :rank]
    if not frozen:
        return a, b
    return torch.cat((a[:-1].detach(), a[-1:])), torch.cat((b[:, :-1].detach(), b[:, -1:]), dim=1)


class NestedLinear(LoraLinear):
    """A linear map with a low-rank update that is cut at `rank`."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, *, frozen: bool) -> None:
        super().__init__(linear, rank, 1.0)
        self.rank, self.alpha, self.frozen = rank, alpha, frozen

    def forward(self, x: Tensor) -> Tensor:
        a, b = first(self.lora_a, self.lora_b, self.rank, frozen=self.frozen and self.training)
        return F.linear(x, self.weight, self.bias) + self.alpha / self.rank * F.linear(F.linear(x, a), b)

    def merged(self) -> tuple[Tensor, Tensor | None]:
        a, b = first(self.lora_a, self.lora_b, self.rank)
        return self.weight + self.alpha / self.rank * (b @ a), self.bias


class DyLora(Lora, Hook):
    """Ranks from `smallest` to `rank`, the same for all maps in a step; in the end `merged_rank`, or else `rank`.

    A step's draw follows from its number. Raises `LeanformerError` for ranks that are not in this order.
    """

    name = "dylora"

    def __init__(
        self, rank: int = 8, alpha: float = 16.0, on: tuple[str, ...] = ("query", "value"), *,
        smallest: int = 1, merged_rank: int | None = None, frozen: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(rank, alpha, on)
        self.smallest, self.frozen = smallest, frozen
        self.merged_rank = rank if merged_rank is None else merged_rank
        if not 1 <= smallest <= self.merged_rank <= rank:
            raise LeanformerError(
                f"dylora: ranks {smallest}, {self.merged_rank}, {rank}\n  remedy: 1 <= smallest <= merged_rank <= rank"
            )

    def wrap(self, name: str, linear: nn.Linear) -> NestedLinear:
        return NestedLinear(linear, self.rank, self.alpha, frozen=self.frozen)

    def cut(self, rank: int) -> None:
        """Use this rank in all maps."""
        for adapted in self._adapted.values():
            assert isinstance(adapted, NestedLinear)
            adapted.rank = rank

    def before_step(self, run: Run) -> None:
        step = run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step
        self.cut(Random(f"dylora {run.settings.seed} {step}").randint(self.smallest, self.rank))

    def before_score(self, run: Run) -> None:
        self.cut(self.merged_rank)

    def merge(self, model: nn.Module) -> None:
        self.cut(self.merged_rank)
        super().merge(model)
