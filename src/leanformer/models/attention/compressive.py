"""Compressive Transformer (Rae et al. 2020, arXiv 1911.05507): what is older than the memory is kept in means.

As in Transformer-XL, a token attends to its own segment and to the one before; of the segments before that it sees the
means of a few neighbouring tokens each. The paper's learnt compression is left out, its mean pooling is here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import in_chunks, masked_softmax, shifted
from leanformer.models.attention.transformer_xl import remembered


def compressive(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, segment: int, older: int, rate: int
) -> Tensor:
    """Attention to the own segment, the one before, and means of `rate` tokens of `older` segments before that.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        segment: a multiple of `rate`.

    Returns the context `[B, heads, S, D]`; the cost is linear in S.
    """
    length = query.shape[-2]
    q, real = in_chunks(query * query.shape[-1] ** -0.5, segment), in_chunks(mask, segment, -1)
    groups = real.unflatten(-1, (-1, rate))
    count = groups.sum(dim=-1)

    def with_past(x: Tensor) -> Tensor:
        chunks = in_chunks(x, segment)
        members = chunks.detach().unflatten(-2, (-1, rate)) * groups[:, None, ..., None]
        means = members.sum(dim=-2) / count.clamp_min(1)[:, None, ..., None]
        past = [shifted(means, -3, by) for by in range(1 + older, 1, -1)]
        return torch.cat((*past, remembered(chunks, -3, -2, 1)), dim=-2)

    seen = [shifted(count > 0, -2, by) for by in range(1 + older, 1, -1)]
    allowed = torch.cat((*seen, remembered(real, -2, -1, 1)), dim=-1)[:, None, :, None, :]
    weights = masked_softmax(q @ with_past(key).mT, allowed)
    return (weights @ with_past(value)).flatten(-3, -2)[..., :length, :]
