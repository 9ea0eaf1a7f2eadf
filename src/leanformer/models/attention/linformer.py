"""Linformer attention (Wang et al. 2020, arXiv 2006.04768): keys and values are projected to a fixed number of places.

The two projections are learnt and shared by all heads of a layer. Padding is zero before it is projected, so it adds
nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.mixer import Mixer
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def linformer(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, to_keys: Tensor, to_values: Tensor) -> Tensor:
    """Softmax attention to projected keys and values.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        to_keys, to_values: the projections `[rank, P]`, P at least S.

    Returns the context `[B, heads, S, D]`.
    """
    length, real = query.shape[-2], mask[:, None, :, None]
    keys, values = to_keys[:, :length] @ (key * real), to_values[:, :length] @ (value * real)
    return torch.softmax(query @ keys.mT * query.shape[-1] ** -0.5, dim=-1) @ values


class LinformerAttention(Mixer):
    """Linformer with its projections of one layer."""

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        rank, spread = self.options["rank"], config.positions**-0.5
        self.to_keys = nn.Parameter(torch.randn(rank, config.positions) * spread)
        self.to_values = nn.Parameter(torch.randn(rank, config.positions) * spread)

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        return self.function(query, key, value, mask, to_keys=self.to_keys, to_values=self.to_values)


MODULE = LinformerAttention
