"""Performer attention (Choromanski et al. 2021, arXiv 2009.14794): positive orthogonal random features (FAVOR+).

exp(q k) is the mean of f(q) f(k) over random directions w, f(x) = exp(w x - |x|^2 / 2). With a fixed number of features
the sums over keys are computed once for all queries. The features are drawn once, not again during training.
"""

from __future__ import annotations

import torch
from torch import Tensor


def performer(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, features: int, seed: int) -> Tensor:
    """Softmax attention, approximated with `features` random features; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    q, k = feature_maps(query, key, mask, features, seed)
    k = k * mask[:, None, :, None]
    total = (q * k.sum(dim=-2, keepdim=True)).sum(dim=-1, keepdim=True).clamp_min(1e-12)
    return q @ (k.mT @ value) / total


def feature_maps(query: Tensor, key: Tensor, mask: Tensor, features: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features `[B, heads, S, features]` of queries and keys, up to factors that the weights do not depend on."""
    size = query.shape[-1]
    directions = orthogonal(size, features, seed).to(query)
    scale = size**-0.25  # half of the scores' 1 / sqrt(D) for either side
    found = []
    for x, of_keys in ((query * scale, False), (key * scale, True)):
        exponent = x @ directions.mT - (x**2).sum(dim=-1, keepdim=True) / 2
        # The largest exponent is subtracted: for a query it cancels, for keys it must be one of the whole text.
        shown = exponent.masked_fill(~mask[:, None, :, None], torch.finfo(x.dtype).min)
        largest = shown.amax(dim=(-2, -1), keepdim=True) if of_keys else exponent.amax(dim=-1, keepdim=True)
        found.append((exponent - largest.detach()).clamp_max(0).exp() + 1e-6)
    return found[0], found[1]


def orthogonal(size: int, features: int, seed: int) -> Tensor:
    """Random directions `[features, size]`, orthogonal in blocks of `size`, with the norms of Gaussian vectors."""
    generator = torch.Generator().manual_seed(seed)
    blocks = [torch.linalg.qr(torch.randn(size, size, generator=generator))[0].mT for _ in range(-(-features // size))]
    norms = torch.randn(features, size, generator=generator).norm(dim=1, keepdim=True)
    return torch.cat(blocks)[:features] * norms
