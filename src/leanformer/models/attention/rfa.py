"""Random feature attention (Peng et al. 2021, arXiv 2103.02143): sine and cosine features of a Gaussian kernel.

Queries and keys have length one, for which exp(q k) is the Gaussian kernel up to a factor. Other than in the paper, the
width of the kernel is not learnt, and there is no gate, which is for texts read from left to right.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rfa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, features: int, seed: int) -> Tensor:
    """Softmax attention of unit vectors, approximated with `features` random directions; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    q, k = waves(query, features, seed), waves(key, features, seed) * mask[:, None, :, None]
    # The kernel is at least exp(-2) for unit vectors; its estimate may come near zero, or below.
    total = (q * k.sum(dim=-2, keepdim=True)).sum(dim=-1, keepdim=True).clamp_min(1e-3)
    return q @ (k.mT @ value) / total


def waves(x: Tensor, features: int, seed: int) -> Tensor:
    """Features `[..., 2 * features]`, whose product for two unit vectors estimates exp(-|x - y|^2 / 2)."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(features, x.shape[-1], generator=generator).to(x)
    angles = F.normalize(x, dim=-1) @ directions.mT
    return torch.cat((angles.sin(), angles.cos()), dim=-1) * features**-0.5
