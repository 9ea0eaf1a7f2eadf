"""Pruning of weak attention values (Ji et al. 2021; SpAtten, Wang et al. 2021, arXiv 2012.09852).

After the softmax each query keeps its largest weights, and the others are zero; they are not scaled to sum to one
again. PyTorch multiplies the zeros too, so nothing is saved here: the hardware of the papers skips them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.models.attention.mixer import masked_softmax


def weak_values(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, kept: int) -> Tensor:
    """Softmax attention with the `kept` largest weights of each query; quadratic in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    weights = masked_softmax(query @ key.mT * query.shape[-1] ** -0.5, mask[:, None, None, :])
    return (weights * largest(weights, kept)) @ value


def largest(x: Tensor, count: int) -> Tensor:
    """Whether an entry is among the `count` largest of its row; those as large as the last one are, too."""
    count = min(count, x.shape[-1])
    return x >= torch.topk(x, count, dim=-1).values[..., -1:]
