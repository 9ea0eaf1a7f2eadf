"""AdaLoRA: low-rank updates whose ranks are shared out among the maps in training (Zhang et al. 2023, 2303.10512).

W + s P diag(l) Q with s = alpha / `start`, P `[out, r]` and Q `[r, in]` kept nearly orthogonal by a penalty. After each
step the l of the least important triplets are set to nought: so many that what is left falls from `start` to `target`
a map on the mean, along a cubic curve. Importance is sensitivity times its uncertainty, both as moving averages.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.train.adapters.maps import AdaptedLinear, MapAdapter
from leanformer.train.hooks.hook import Hook, HookState, Run

_DECAY, _WARM, _COLD = 0.85, 0.1, 0.4  # of moving averages; shares of the steps before and after the curve


def budget(step: int, total: int, start: float, target: float) -> float:
    """Triplets that are left after a step, by the paper's equation 12."""
    begin, end = _WARM * total, (1 - _COLD) * total
    share = min(1.0, max(0.0, (step - begin) / max(1.0, end - begin)))
    return target + (start - target) * (1 - share) ** 3


class TripletLinear(AdaptedLinear):
    """A linear map with triplets, and the importance of each."""

    OWN: ClassVar[tuple[str, ...]] = ("p", "l", "q")

    def __init__(self, linear: nn.Linear, rank: int, scaling: float) -> None:
        super().__init__(linear)
        self.scaling = scaling
        self.p = nn.Parameter(0.02 * torch.randn(linear.out_features, rank))
        self.l = nn.Parameter(torch.zeros(rank))
        self.q = nn.Parameter(0.02 * torch.randn(rank, linear.in_features))
        # Of p, l and q: the product with the gradient, its moving average, and that of its distance from the average.
        self.seen: dict[str, tuple[Tensor, Tensor]] = {}
        for name, parameter in self.own.items():
            parameter.register_post_accumulate_grad_hook(lambda weight, name=name: self.note(name, weight))
        self.fresh: dict[str, Tensor] = {}

    def note(self, name: str, parameter: Tensor) -> None:
        """Keep the sensitivity of the gradient that has been summed up so far."""
        assert parameter.grad is not None
        self.fresh[name] = (parameter.detach() * parameter.grad).abs()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.scaling * F.linear(F.linear(x, self.q) * self.l, self.p)

    def penalty(self) -> Tensor:
        """How far P and Q are from orthogonal."""
        eye = torch.eye(len(self.l))
        return (self.p.T @ self.p - eye).square().sum() + (self.q @ self.q.T - eye).square().sum()

    def importance(self) -> Tensor:
        """Of each triplet `[rank]`, after its averages have taken up the last gradient."""
        scores = {}
        for name, now in self.fresh.items():
            mean, spread = self.seen.get(name, (torch.zeros_like(now), torch.zeros_like(now)))
            mean = _DECAY * mean + (1 - _DECAY) * now
            spread = _DECAY * spread + (1 - _DECAY) * (now - mean).abs()
            self.seen[name] = mean, spread
            scores[name] = mean * spread
        return scores["l"] + scores["p"].mean(dim=0) + scores["q"].mean(dim=1)

    def merged(self) -> tuple[Tensor, Tensor | None]:
        return self.weight + self.scaling * (self.p * self.l) @ self.q, self.bias


class AdaLora(MapAdapter, Hook):
    """`start` triplets a map, of which `target` are left on the mean; `orthogonal` is the penalty's weight."""

    name = "adalora"

    def __init__(
        self, start: int = 12, target: int = 8, alpha: float = 16.0, on: tuple[str, ...] = ("query", "value"), *,
        orthogonal: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__("adalora", on)
        self.start, self.target, self.alpha, self.orthogonal = start, target, alpha, orthogonal

    def wrap(self, name: str, linear: nn.Linear) -> TripletLinear:
        return TripletLinear(linear, self.start, self.alpha / self.start)

    @property
    def triplets(self) -> list[TripletLinear]:
        """The adapted maps."""
        return [adapted for adapted in self._adapted.values() if isinstance(adapted, TripletLinear)]

    def before_step(self, run: Run) -> None:
        if self.orthogonal:
            sum((self.orthogonal * adapted.penalty() for adapted in self.triplets), torch.zeros(())).backward()

    @torch.no_grad()
    def after_step(self, run: Run) -> None:
        done = run.progress.epoch * (run.total // run.settings.epochs) + run.progress.step
        self.keep(round(len(self.triplets) * budget(done, run.total, self.start, self.target)))

    def keep(self, count: int) -> None:
        """Set the l of all but the `count` most important triplets to nought."""
        scores = torch.stack([adapted.importance() for adapted in self.triplets])
        if count < scores.numel():
            kept = torch.zeros(scores.numel(), dtype=torch.bool)
            kept[scores.flatten().topk(count).indices] = True
            for adapted, row in zip(self.triplets, kept.view_as(scores), strict=True):
                adapted.l.data.mul_(row)

    def task_bytes(self, model: nn.Module) -> int:
        """Those of the triplets that are left in the end, and of the head."""
        own = sum(parameter.numel() for adapted in self.triplets for parameter in adapted.own.values())
        return 4 * (self.trained_parameters(model) - own + own * self.target // self.start)

    def state(self) -> HookState:
        tensors = {
            f"{number}.{name}.{part}": value
            for number, adapted in enumerate(self.triplets)
            for name, both in adapted.seen.items() for part, value in zip(("mean", "spread"), both, strict=True)
        }  # fmt: skip
        return HookState(tensors, {})

    def load_state(self, state: HookState) -> None:
        for number, adapted in enumerate(self.triplets):
            adapted.seen = {
                name: (state.tensors[f"{number}.{name}.mean"], state.tensors[f"{number}.{name}.spread"])
                for name in adapted.OWN if f"{number}.{name}.mean" in state.tensors
            }  # fmt: skip
