"""Longformer attention (Beltagy et al. 2020, arXiv 2004.05150): a window around each token, and some global tokens.

Queries in chunks of the window's width see three chunks of keys, of which a band is kept, so the cost is linear in the
length. The first tokens of a text are global: they see all tokens and are seen by all. Other than in the paper, they
use the same projections as the other tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import in_chunks, masked_softmax, shifted


def longformer(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, window: int, global_tokens: int) -> Tensor:
    """Attention to tokens at most `window` away and to the first `global_tokens`; those attend to all.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    length, near = query.shape[-2], min(window, query.shape[-2])
    first = min(global_tokens, length)
    queries = in_chunks(query * query.shape[-1] ** -0.5, near)
    keys, values = (beside(in_chunks(x, near), -3, -2) for x in (key, value))
    place = torch.arange(length, device=mask.device)
    # Tokens that all see are not seen a second time in the window.
    seen = beside(in_chunks(mask & (place >= first), near, -1), -2, -1)
    i, j = torch.arange(near)[:, None], torch.arange(3 * near)[None, :] - near
    allowed = seen[:, None, :, None, :] & ((i - j).abs() <= near).to(mask.device)
    scores = torch.cat((queries @ key[..., None, :first, :].mT, queries @ keys.mT), dim=-1)
    everywhere = mask[:, None, None, None, :first].expand(*allowed.shape[:-1], -1)
    weights = masked_softmax(scores, torch.cat((everywhere, allowed), dim=-1))
    context = weights[..., :first] @ value[..., None, :first, :] + weights[..., first:] @ values
    context = context.flatten(-3, -2)[..., :length, :]
    if not first:
        return context
    whole = masked_softmax(query[..., :first, :] @ key.mT * query.shape[-1] ** -0.5, mask[:, None, None, :])
    return torch.cat((whole @ value, context[..., first:, :]), dim=-2)


def beside(chunks: Tensor, chunk: int, inner: int) -> Tensor:
    """Each chunk between its neighbours along the axis `inner`; `chunk` is the axis of chunks."""
    return torch.cat((shifted(chunks, chunk, 1), chunks, shifted(chunks, chunk, -1)), dim=inner)
