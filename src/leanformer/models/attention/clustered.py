"""Clustered attention (Vyas et al. 2020, arXiv 2007.04825): queries of a cluster share what their mean attends to.

The improved form corrects this on the keys that the mean attends to most: there each query has weights of its own. The
clusters are found by Lloyd's iteration from evenly spaced queries of the text, instead of on hashed bits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.mixer import masked_softmax, taken


def clustered(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, clusters: int, iterations: int, top: int
) -> Tensor:
    """Attention of `clusters` mean queries, corrected on their `top` keys; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    query = query * query.shape[-1] ** -0.5
    member, cluster = members(query, mask, clusters, iterations)
    means = member.mT @ query / member.sum(dim=-2)[..., None].clamp_min(1)
    weights = masked_softmax(means @ key.mT, mask[:, None, None, :])
    shared = weights @ value
    if not top:
        return taken(shared, cluster)
    best = weights.topk(min(top, key.shape[-2]), dim=-1)
    rows = cluster[..., None].expand(*cluster.shape, best.indices.shape[-1])
    index, mass = best.indices.gather(-2, rows), best.values.gather(-2, rows)  # [B, heads, S, top]
    k, v = taken(key[:, :, None], index), taken(value[:, :, None], index)
    own = masked_softmax((query[..., None, :] @ k.mT)[..., 0, :], mass > 0) * mass.sum(dim=-1, keepdim=True)
    return taken(shared, cluster) + ((own - mass)[..., None, :] @ v)[..., 0, :]


@torch.no_grad()
def members(query: Tensor, mask: Tensor, clusters: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Who is in which cluster: `[B, heads, S, clusters]` of 0 and 1, all 0 for padding, and `[B, heads, S]`."""
    lengths, number = mask.sum(dim=1, keepdim=True), torch.arange(clusters, device=mask.device)
    spaced = number * lengths // clusters
    # Of a text with fewer tokens than clusters each token is a centre once.
    spaced = torch.where((clusters > lengths) & (number < lengths), number, spaced)
    centres = taken(query, spaced[:, None])
    for left in range(iterations, -1, -1):
        nearest = (2 * query @ centres.mT - (centres**2).sum(dim=-1)[..., None, :]).argmax(dim=-1)
        member = F.one_hot(nearest, clusters).to(query.dtype) * mask[:, None, :, None]
        if left:
            count = member.sum(dim=-2)[..., None]
            centres = torch.where(count > 0, member.mT @ query / count.clamp_min(1), centres)
    return member, nearest
