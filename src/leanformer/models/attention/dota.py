"""DOTA (Qu et al. 2022): weak connections are found by a cheap estimate, before their scores are computed.

The estimate is the product of queries and keys in a random projection to a few dimensions; the paper learns it with the
model and runs it in a few bits. Each query attends to the keys with the largest estimates. PyTorch computes the other
scores too, so nothing is saved here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import masked_softmax
from leanformer.models.attention.weak_values import largest


def dota(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, kept: int, rank: int, seed: int) -> Tensor:
    """Softmax attention to the `kept` keys with the largest estimates in `rank` dimensions; quadratic in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    generator, size = torch.Generator().manual_seed(seed), query.shape[-1]
    projection = torch.randn(size, rank, generator=generator).to(query)
    seen = mask[:, None, None, :]
    estimate = ((query @ projection) @ (key @ projection).mT).detach().masked_fill(~seen, -torch.inf)
    return masked_softmax(query @ key.mT * size**-0.5, largest(estimate, kept) & seen) @ value
