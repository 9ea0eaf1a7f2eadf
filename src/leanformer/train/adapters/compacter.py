"""Compacter: Houlsby adapters whose matrices are sums of Kronecker products (Karimi Mahabadi et al. 2021, 2106.04647).

A matrix is the sum over i of A_i (x) S_i T_i, with A_i `[n, n]` shared by all adapters, S_i `[in / n, rank]` and T_i
`[rank, out / n]`. It is made in each forward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.models.classifier import Classifier
from leanformer.models.feedforward.dense import activate
from leanformer.train.adapters.houlsby import Houlsby


def kronecker_sum(a: Tensor, s: Tensor, t: Tensor) -> Tensor:
    """The matrix `[in, out]` of A `[n, n, n]`, S `[n, in / n, rank]` and T `[n, rank, out / n]`."""
    return torch.einsum("nab,nir,nro->aibo", a, s, t).reshape(a.shape[1] * s.shape[1], a.shape[2] * t.shape[2])


class KroneckerLinear(nn.Module):
    """A linear map with such a matrix and a bias; with `zero`, it is nought at the start."""

    def __init__(self, shared: nn.Parameter, inputs: int, outputs: int, rank: int, *, zero: bool) -> None:
        super().__init__()
        n = len(shared)
        if inputs % n or outputs % n:
            raise LeanformerError(f"compacter: a map of {inputs} to {outputs} has no {n} parts\n  remedy: another n")
        self.a = shared
        self.s = nn.Parameter(torch.randn(n, inputs // n, rank) * (n / inputs) ** 0.5)
        self.t = nn.Parameter(torch.zeros(n, rank, outputs // n) if zero else torch.randn(n, rank, outputs // n))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ kronecker_sum(self.a, self.s, self.t) + self.bias


class KroneckerBottleneck(nn.Module):
    """U f(D x) with Kronecker sums D and U."""

    def __init__(self, shared: nn.Parameter, hidden: int, width: int, rank: int) -> None:
        super().__init__()
        self.down = KroneckerLinear(shared, hidden, width, rank, zero=False)
        self.up = KroneckerLinear(shared, width, hidden, rank, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(activate(self.down(x), "relu"))


class Compacter(Houlsby):
    """Adapters of a width of hidden / `reduction`, of `n` products of rank `rank`."""

    def __init__(self, reduction: int = 32, n: int = 4, rank: int = 1) -> None:
        super().__init__(reduction)
        self.n, self.rank = n, rank
        self.shared: nn.Parameter | None = None

    def put(self, model: Classifier) -> list[nn.Parameter]:
        self.shared = nn.Parameter(torch.randn(self.n, self.n, self.n) / self.n)
        return super().put(model)

    def bottleneck(self, hidden: int) -> nn.Module:
        assert self.shared is not None
        width = max(self.n, hidden // self.reduction // self.n * self.n)
        return KroneckerBottleneck(self.shared, hidden, width, self.rank)
