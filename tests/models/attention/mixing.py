"""Small heads for tests of attention, and softmax attention with any pattern, pair by pair."""

from __future__ import annotations

import torch
from torch import Tensor

torch.set_num_threads(1)


def heads(length: int = 11, rows: int = 2, count: int = 2, size: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
    """Queries, keys and values `[rows, count, length, size]` in fp64, and a mask whose later rows are shorter."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(rows, count, length, size, generator=generator, dtype=torch.float64) for _ in range(3))
    lengths = torch.tensor([length - 4 * row for row in range(rows)])
    return q, k, v, torch.arange(length) < lengths[:, None]


def dense(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor, allowed: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Softmax attention over real keys of the pairs `allowed` `[..., S, S]`, with a bias added to the scores."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if bias is not None:
        scores = scores + bias
    real = mask[:, None, None, :].expand_as(scores)
    seen = real if allowed is None else real & allowed
    weights = torch.exp(scores) * seen
    return weights / weights.sum(dim=-1, keepdim=True) @ v


def same(found: Tensor, expected: Tensor, mask: Tensor) -> None:
    """Assert that contexts `[B, heads, S, D]` agree at real tokens."""
    real = mask[:, None, :, None]
    torch.testing.assert_close(found * real, torch.where(real, expected, 0), rtol=0, atol=1e-9)


def places(length: int) -> tuple[Tensor, Tensor]:
    """Positions of queries `[S, 1]` and of keys `[1, S]`."""
    place = torch.arange(length)
    return place[:, None], place[None, :]


def weights_of(function, q: Tensor, k: Tensor, mask: Tensor, **options) -> Tensor:  # type: ignore[no-untyped-def]
    """The weights of all pairs, from unit vectors as values."""
    unit = torch.eye(q.shape[-2], dtype=q.dtype).expand(*q.shape[:-1], -1)
    return function(q, k, unit, mask, **options)
