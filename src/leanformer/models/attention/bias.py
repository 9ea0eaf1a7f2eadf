"""Terms added to attention scores before the softmax: padding, local windows, relative positions.

Shapes: B rows, S tokens (padded).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from leanformer.shapes.encoder import EncoderConfig, LayerShape, RelativeBias


def relative_buckets(length: int, shape: RelativeBias) -> Tensor:
    """The bucket of every key's distance from every query, `[S, S]` int64.

    Half of the buckets are for keys to the right. Within each half, the first half of the buckets hold one distance
    each;
    the others widen logarithmically up to `max_distance` (Raffel et al. 2020, section 2.1).
    """
    place = torch.arange(length)
    return _bucket(place[None, :] - place[:, None], shape)


def bucket_of_distances(length: int, shape: RelativeBias) -> Tensor:
    """The buckets of the distances -(length - 1) to length - 1, `[2 * length - 1]` int64."""
    return _bucket(torch.arange(1 - length, length), shape)


def _bucket(distance: Tensor, shape: RelativeBias) -> Tensor:
    half = shape.buckets // 2
    exact = half // 2
    far = distance.abs()
    # In fp32, as in the training of these models: at bucket boundaries the rounding decides.
    scale = math.log(shape.max_distance / exact)
    wide = exact + (torch.log(far.clamp(min=1).float() / exact) / scale * (half - exact)).long()
    return torch.where(far < exact, far, wide.clamp(max=half - 1)) + half * (distance > 0)


class AttentionBias(nn.Module):
    """The table of relative positions, if there is one, and the biases computed from it."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.shape = config.relative_bias
        self.relative = None if self.shape is None else nn.Embedding(self.shape.buckets, self.shape.heads)

    def forward(self, layer: LayerShape, mask: Tensor, dtype: torch.dtype) -> Tensor | None:
        """The bias of `layer` for rows with `mask` `[B, S]`, or None if it is zero.

        It is broadcastable to `[B, heads, S, S]` and very negative at positions that must not be attended to.
        """
        hidden = None if bool(mask.all()) else ~mask.bool()[:, None, None, :]
        length = mask.shape[1]
        if layer.window is not None and length > layer.window + 1:
            place = torch.arange(length, device=mask.device)
            outside = (place[:, None] - place[None, :]).abs() > layer.window
            hidden = outside[None, None] if hidden is None else hidden | outside
        bias = None
        if self.shape is not None and self.relative is not None:
            by_head = self.relative(relative_buckets(length, self.shape).to(mask.device)).permute(2, 0, 1)
            bias = by_head[None] if layer.bias_columns is None else by_head[None, list(layer.bias_columns)]
        if hidden is None:
            return bias
        if bias is None:
            bias = torch.zeros(hidden.shape, dtype=dtype, device=mask.device)
        # A finite number, because a row of only -inf would become NaN.
        return bias.to(dtype).masked_fill(hidden, torch.finfo(dtype).min)


class Places:
    """The attention biases of one forward pass; layers with the same attention pattern share a bias.

    Attributes:
        mask: `[B, S]`, true (or 1) for real tokens.
    """

    def __init__(self, table: AttentionBias, mask: Tensor, dtype: torch.dtype) -> None:
        self.mask, self._table, self._dtype = mask, table, dtype
        self._biases: dict[tuple[int | None, tuple[int, ...] | None], Tensor | None] = {}

    def bias(self, layer: LayerShape) -> Tensor | None:
        """The bias added to the scores of `layer`, see `AttentionBias.forward`."""
        kind = (layer.window, layer.bias_columns)
        if kind not in self._biases:
            self._biases[kind] = self._table(layer, self.mask, self._dtype)
        return self._biases[kind]
