"""Adaptively sparse attention (Correia et al. 2019, arXiv 1909.00015): entmax with an alpha learnt for each head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.entmax import entmax
from leanformer.models.attention.mixer import Mixer
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def adaptive_entmax(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, sparsity: Tensor) -> Tensor:
    """Attention with entmax of alpha = 1 + sigmoid(sparsity) in each head.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens. sparsity: `[heads]`.

    Returns the context `[B, heads, S, D]`.
    """
    return entmax(query, key, value, mask, alpha=1 + sparsity.sigmoid()[:, None, None])


class AdaptiveEntmaxAttention(Mixer):
    """Adaptively sparse attention with one number for each head, which begins at alpha = 1.5."""

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        self.sparsity = nn.Parameter(torch.zeros(self.heads))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        return self.function(query, key, value, mask, sparsity=self.sparsity)


MODULE = AdaptiveEntmaxAttention
