"""Nystromformer attention (Xiong et al. 2021, arXiv 2102.03902): the softmax matrix from a few landmarks.

Landmarks are means of equal segments of a text. The inverse in the middle is found by iteration, without a
decomposition. The paper's convolution of the values is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import masked_softmax


def nystrom(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, landmarks: int, iterations: int) -> Tensor:
    """Softmax attention, approximated by way of `landmarks` means of queries and keys; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        iterations: of the inversion.

    Returns the context `[B, heads, S, D]`.
    """
    query = query * query.shape[-1] ** -0.5
    share, used = segments(mask, landmarks, query.dtype)
    few_queries, few_keys = share @ query, share @ key
    across, down = used[:, None, None, :], used[:, None, :, None]
    left = masked_softmax(query @ few_keys.mT, across)
    middle = masked_softmax(few_queries @ few_keys.mT, across) * down
    right = masked_softmax(few_queries @ key.mT, mask[:, None, None, :]) * down
    return left @ (pseudo_inverse(middle, iterations) @ (right @ value))


def segments(mask: Tensor, landmarks: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What each token adds to each landmark's mean `[B, 1, M, S]`, and which landmarks have a token `[B, M]`."""
    lengths = mask.sum(dim=1, keepdim=True)
    place = torch.arange(mask.shape[1], device=mask.device)
    segment = (place * landmarks // lengths).clamp(max=landmarks - 1)
    member = (segment[:, None, :] == torch.arange(landmarks, device=mask.device)[:, None]) & mask[:, None, :]
    count = member.sum(dim=-1, keepdim=True)
    return (member / count.clamp_min(1)).to(dtype)[:, None], count[..., 0] > 0


def pseudo_inverse(matrix: Tensor, iterations: int) -> Tensor:
    """The Moore-Penrose inverse of `[..., M, M]` by the paper's iteration of third order (its equation 11)."""
    size = matrix.abs()
    scale = size.sum(dim=-1).amax(dim=-1) * size.sum(dim=-2).amax(dim=-1)
    found = matrix.mT / scale[..., None, None]
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    for _ in range(iterations):
        product = matrix @ found
        found = found @ (13 * eye - product @ (15 * eye - product @ (7 * eye - product))) / 4
    return found
