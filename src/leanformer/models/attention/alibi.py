"""ALiBi (Press et al. 2022, arXiv 2108.12409): scores fall linearly with the distance, in both directions.

The slopes of the heads are a geometric sequence, 2^(-8 / heads) to 2^-8; none is learnt.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def alibi(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, steepness: float) -> Tensor:
    """Softmax attention with `steepness` times the slope of the head, times the distance, taken off each score.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    heads, length = query.shape[1:3]
    place = torch.arange(length, device=query.device)
    slopes = 2.0 ** (-8 * (torch.arange(heads, device=query.device) + 1) / heads)
    bias = -steepness * slopes[:, None, None] * (place[:, None] - place[None, :]).abs()
    hidden = ~mask[:, None, None, :]
    bias = bias.to(query.dtype).expand(len(mask), -1, -1, -1).masked_fill(hidden, torch.finfo(query.dtype).min)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
