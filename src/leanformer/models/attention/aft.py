"""Attention-free Transformer (Zhai et al. 2021, arXiv 2105.14103), AFT-full: learnt weights of positions alone.

Channel by channel, keys and position biases w(i, j) are summed, exponentiated and normalised over j; queries are gates.
The biases are a product of two narrow tables, of each head; the cost is quadratic in the length.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.mixer import Mixer
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def aft(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, biases: Tensor) -> Tensor:
    """Gated means of values with weights exp(key + bias).

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        biases: `[heads, S, S]`.

    Returns the context `[B, heads, S, D]`.
    """
    real = mask[:, None, :, None]
    # What is subtracted cancels in the fraction: the largest key of each channel, the largest bias of each position.
    largest = key.masked_fill(~real, torch.finfo(key.dtype).min).amax(dim=-2, keepdim=True)
    weights = ((key - largest).clamp_max(0).exp() * real).to(value.dtype)
    shown = biases.masked_fill(~mask[:, None, None, :], torch.finfo(biases.dtype).min)
    places = (shown - shown.amax(dim=-1, keepdim=True)).exp()
    mean = (places @ (weights * value)) / (places @ weights).clamp_min(1e-30)
    return query.sigmoid() * mean


class AftAttention(Mixer):
    """AFT-full with the tables of its position biases."""

    HAS_WEIGHTS = False

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        size = (self.heads, config.positions, self.options["rank"])
        self.left, self.right = (nn.Parameter(torch.randn(size) * 0.1) for _ in range(2))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        length = query.shape[-2]
        biases = self.left[:, :length] @ self.right[:, :length].mT
        return self.function(query, key, value, mask, biases=biases)


MODULE = AftAttention
