"""infinity-former (Martins et al. 2022, arXiv 2109.00301): a continuous memory of everything before a segment.

Keys and values of the past are a sum of Gaussian bumps over [0, 1], fitted by ridge regression. Each query looks at the
memory through a Gaussian density, whose centre and width it learns, beside softmax attention to its own segment. After
a segment the memory is sampled, contracted and fitted again with the segment's tokens, so its size stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.attention.mixer import Mixer, in_chunks, masked_softmax
from leanformer.shapes.encoder import EncoderConfig, LayerShape

_RIDGE, _WIDTH, _PAST = 0.5, 0.05, 0.5  # penalty, width of the bumps, share of [0, 1] that the old memory gets


def infinity(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, segment: int, centre: Tensor, width: Tensor
) -> Tensor:
    """Softmax attention within segments plus attention to a continuous memory of earlier segments; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        centre, width: `[heads, N]`, from the scores of the N bumps to the logits of the density's centre and variance.

    Returns the context `[B, heads, S, D]`.
    """
    length, basis = query.shape[-2], centre.shape[-1]
    query = query * query.shape[-1] ** -0.5
    chunks = [in_chunks(x, segment).unbind(-3) for x in (query, key, value)]
    alone, both = fits(segment, basis, query.dtype)
    points = torch.linspace(0, _PAST, segment + 1, dtype=query.dtype)[:-1] / _PAST
    samples = bumps(points, basis).to(query)
    memory: tuple[Tensor, Tensor] | None = None
    contexts = []
    for q, k, v, real in zip(*chunks, in_chunks(mask, segment, -1).unbind(-2), strict=True):
        context = masked_softmax(q @ k.mT, real[:, None, None, :]) @ v
        if memory is not None:
            scores = q @ memory[0].mT
            mean = (scores * centre[:, None, :]).sum(dim=-1, keepdim=True).sigmoid()
            spread = F.softplus((scores * width[:, None, :]).sum(dim=-1, keepdim=True)).clamp_min(1e-4)
            context = context + seen_through(mean, spread, basis) @ memory[1]
        past = [x.detach() * real[:, None, :, None] for x in (k, v)]
        if memory is None:
            memory = alone.to(q) @ past[0], alone.to(q) @ past[1]
        else:
            old = [torch.cat((samples @ m, x), dim=-2) for m, x in zip(memory, past, strict=True)]
            memory = both.to(q) @ old[0], both.to(q) @ old[1]
        contexts.append(context)
    return torch.cat(contexts, dim=-2)[..., :length, :]


def bumps(points: Tensor, basis: int) -> Tensor:
    """The values `[points, N]` of N Gaussian densities, spread evenly over [0, 1], at these points."""
    places = torch.linspace(0, 1, basis, dtype=points.dtype)
    return torch.exp(-((points[:, None] - places) ** 2) / (2 * _WIDTH**2)) / (_WIDTH * (2 * torch.pi) ** 0.5)


@cache
def fits(segment: int, basis: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Ridge regressions on the bumps, `[N, points]`: of one segment, and of the old memory and a segment."""
    first = (torch.arange(segment, dtype=torch.float64) + 0.5) / segment
    grid = torch.cat((first * _PAST, _PAST + first * (1 - _PAST)))

    def fit(points: Tensor) -> Tensor:
        design = bumps(points, basis)
        penalty = _RIDGE * torch.eye(basis, dtype=design.dtype)
        return torch.linalg.solve(design.mT @ design + penalty, design.mT).to(dtype)

    return fit(first), fit(grid)


def seen_through(mean: Tensor, variance: Tensor, basis: int) -> Tensor:
    """The mean of each bump under the Gaussian density N(mean, variance), `[..., N]`."""
    places = torch.linspace(0, 1, basis, dtype=mean.dtype, device=mean.device)
    both = variance + _WIDTH**2
    return torch.exp(-((mean - places) ** 2) / (2 * both)) / (2 * torch.pi * both).sqrt()


class InfinityAttention(Mixer):
    """infinity-former with what one layer learns of where its queries look."""

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        size = (self.heads, self.options["basis"])
        self.centre, self.width = (nn.Parameter(torch.randn(size) * size[1] ** -0.5) for _ in range(2))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        segment = self.options["segment"]
        return self.function(query, key, value, mask, segment=segment, centre=self.centre, width=self.width)


MODULE = InfinityAttention
