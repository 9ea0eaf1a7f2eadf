"""Transformer-XL (Dai et al. 2019, arXiv 1901.02860): segments that remember the ones before them.

A token attends to its own segment, in both directions, and to the segments before it, through which no gradient flows.
Positions are those of the encoder; the paper's relative ones are left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import in_chunks, masked_softmax, shifted


def transformer_xl(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, segment: int, memory: int) -> Tensor:
    """Attention to the own segment of `segment` tokens and to `memory` segments before it; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    length = query.shape[-2]
    q = in_chunks(query * query.shape[-1] ** -0.5, segment)
    k, v = (remembered(in_chunks(x, segment), -3, -2, memory) for x in (key, value))
    seen = remembered(in_chunks(mask, segment, -1), -2, -1, memory)[:, None, :, None, :]
    return (masked_softmax(q @ k.mT, seen) @ v).flatten(-3, -2)[..., :length, :]


def remembered(chunks: Tensor, chunk: int, inner: int, memory: int) -> Tensor:
    """Each chunk after the `memory` chunks before it, along the axis `inner`; `chunk` is the axis of chunks."""
    past = chunks.detach()
    return torch.cat([*(shifted(past, chunk, by) for by in range(memory, 0, -1)), chunks], dim=inner)
