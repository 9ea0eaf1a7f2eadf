"""Strided attention of the sparse Transformer (Child et al. 2019, arXiv 1904.10509), in both directions.

Written in rows of `stride` tokens, a token attends to its row and to its column: the tokens near it, and those a
multiple of the stride away. With a stride of sqrt(S) the cost is S sqrt(S). Both share one softmax.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import in_chunks, masked_softmax


def strided(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, stride: int) -> Tensor:
    """Attention within rows and columns of the text written in rows of `stride` tokens.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    length = query.shape[-2]
    width = min(stride, length)
    q, k, v = in_chunks(query * query.shape[-1] ** -0.5, width), in_chunks(key, width), in_chunks(value, width)
    seen = in_chunks(mask, width, -1)[:, None]
    rows = k.shape[-3]
    down = (q.transpose(-3, -2) @ k.transpose(-3, -2).mT).transpose(-3, -2)  # [..., rows, width, rows]
    others = ~torch.eye(rows, dtype=torch.bool, device=mask.device)[:, None, :]  # itself stands in its row
    allowed = (seen[..., None, :].expand(*seen.shape, -1), seen.mT[..., None, :, :] & others)
    weights = masked_softmax(torch.cat((q @ k.mT, down), dim=-1), torch.cat(allowed, dim=-1))
    across = weights[..., :width] @ v
    along = (weights[..., width:].transpose(-3, -2) @ v.transpose(-3, -2)).transpose(-3, -2)
    return (across + along).flatten(-3, -2)[..., :length, :]
