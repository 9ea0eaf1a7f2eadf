"""Exact attention in tiles (Rabe and Staats 2021, arXiv 2112.05682; Dao et al. 2022, arXiv 2205.14135).

The softmax over keys is computed tile by tile, with a running maximum and a running sum, so that no S x S matrix
exists. For gradients the tiles are computed again. The result is softmax attention; only memory and time differ.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def tiled(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, tile: int) -> Tensor:
    """Softmax attention in tiles of `tile` queries and keys; memory is linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    again = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
    rows = []
    for asked in (query * query.shape[-1] ** -0.5).split(tile, dim=-2):
        arguments = (asked, key, value, mask, tile)
        rows.append(checkpoint(_row, *arguments, use_reentrant=False) if again else _row(*arguments))
    return torch.cat(rows, dim=-2)


def _row(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, tile: int) -> Tensor:
    """The context of one tile of queries, which are scaled already."""
    lowest = torch.finfo(query.dtype).min
    largest = query.new_full((*query.shape[:-1], 1), lowest)
    total, context = torch.zeros_like(largest), query.new_zeros(*query.shape[:-1], value.shape[-1])
    for k, v, real in zip(key.split(tile, -2), value.split(tile, -2), mask.split(tile, -1), strict=True):
        seen = real[:, None, None, :]
        scores = (query @ k.mT).masked_fill(~seen, lowest)
        new = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
        weights, kept = (scores - new).exp() * seen, (largest - new).exp()
        total, context, largest = total * kept + weights.sum(dim=-1, keepdim=True), context * kept + weights @ v, new
    return context / total
