"""Q-BERT: groups within a matrix have ranges of their own, and the most sensitive matrices more bits.

Paper: Shen et al. 2020 (arXiv 1909.05840), by the largest eigenvalue of each layer's Hessian; here by its trace,
estimated by Hutchinson's method as in HAWQ-V2 (Dong et al. 2020, arXiv 1911.03852). The trace per weight, times the
squared error of the fewer bits, orders the matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from leanformer.compress.quantise.nearest import nearest
from leanformer.compress.stored import Stored


def hessian_traces(loss: Tensor, weights: Sequence[Tensor], *, draws: int = 8, seed: int = 13) -> list[float]:
    """The trace of the Hessian of `loss` by each weight: means of v^T H v over vectors of random signs.

    The loss must be differentiable twice; with attention, that needs the plain kernel.
    """
    first = torch.autograd.grad(loss, weights, create_graph=True)
    generator = torch.Generator().manual_seed(seed)
    sums = [0.0] * len(weights)
    for _ in range(draws):
        signs = [torch.randint(0, 2, w.shape, generator=generator).to(w.dtype) * 2 - 1 for w in weights]
        second = torch.autograd.grad(first, weights, grad_outputs=signs, retain_graph=True)
        for index, (sign, product) in enumerate(zip(signs, second, strict=True)):
            sums[index] += float((sign * product).sum()) / draws
    return sums


def q_bert(
    weights: Mapping[str, Tensor], traces: Mapping[str, float], *, low: int = 3, high: int = 4, group: int = 128,
    share: float = 0.5,
) -> dict[str, Stored]:  # fmt: skip
    """Every weight in `low` bits, but for the `share` of most sensitive ones in `high` bits; groups as in `nearest`."""

    def sensitivity(name: str) -> float:
        error = float((nearest(weights[name], bits=low, group=group).weight - weights[name]).square().sum())
        return max(traces[name], 0.0) / weights[name].numel() * error

    order = sorted(weights, key=sensitivity, reverse=True)
    more = set(order[: round(share * len(order))])
    return {name: nearest(weight, bits=high if name in more else low, group=group) for name, weight in weights.items()}
