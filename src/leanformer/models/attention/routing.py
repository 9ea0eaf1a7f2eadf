"""Routing attention (Roy et al. 2021, arXiv 2003.05997): attention within clusters of queries and keys.

Each cluster takes the queries and the keys nearest to its centroid, S / clusters of each. The centroids of a head
follow the tokens of the training texts by a moving average. A token in no cluster has a zero context, one in several
the mean.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.mixer import Mixer, masked_softmax, taken
from leanformer.shapes.encoder import EncoderConfig, LayerShape

_DECAY = 0.999


def routing(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, centroids: Tensor) -> Tensor:
    """Attention within clusters.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        centroids: `[heads, clusters, D]`.

    Returns the context `[B, heads, S, D]`.
    """
    length, clusters = query.shape[-2], centroids.shape[-2]
    asking, in_first = members(query, mask, centroids)
    asked, in_second = members(key, mask, centroids)
    q, k, v = taken(query[:, :, None], asking), taken(key[:, :, None], asked), taken(value[:, :, None], asked)
    weights = masked_softmax(q @ k.mT * query.shape[-1] ** -0.5, in_second[:, None, None, None, :])
    found = (weights @ v * in_first[:, None, None, :, None]).flatten(2, 3)
    index = asking.flatten(2)
    counted = in_first[:, None, None, :].expand(-1, index.shape[1], clusters, -1).flatten(2).to(value.dtype)
    count = value.new_zeros(*value.shape[:2], length).scatter_add(-1, index, counted)
    total = torch.zeros_like(value).scatter_add(-2, index[..., None].expand_as(found), found)
    return total / count.clamp_min(1)[..., None]


def members(x: Tensor, mask: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The W tokens of each cluster, nearest first, `[B, heads, clusters, W]`, and which places are taken `[B, W]`.

    W is the share of the longest row; a shorter row takes fewer, as it would alone.
    """
    clusters = centroids.shape[-2]
    near = (F.normalize(x, dim=-1) @ centroids.mT).masked_fill(~mask[:, None, :, None], -torch.inf)
    places = torch.arange(-(-x.shape[-2] // clusters), device=x.device)
    share = -(-mask.sum(dim=1) // clusters)
    return near.topk(len(places), dim=-2).indices.mT, places < share[:, None]


class RoutingAttention(Mixer):
    """Routing with the centroids of one layer, which move while it is trained."""

    centroids: Tensor

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        first = torch.randn(self.heads, self.options["clusters"], self.head_size)
        self.register_buffer("centroids", F.normalize(first, dim=-1))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        if self.training:
            self._follow(torch.cat((query, key), dim=-2).detach(), torch.cat((mask, mask), dim=-1))
        return self.function(query, key, value, mask, centroids=self.centroids.clone())

    def _follow(self, x: Tensor, mask: Tensor) -> None:
        unit = F.normalize(x, dim=-1)
        nearest = (unit @ self.centroids.mT).argmax(dim=-1)
        member = F.one_hot(nearest, self.centroids.shape[-2]).to(x.dtype) * mask[:, None, :, None]
        count = member.sum(dim=(0, 2))[..., None]
        mean = (member.mT @ unit).sum(dim=0) / count.clamp_min(1)
        moved = F.normalize(_DECAY * self.centroids + (1 - _DECAY) * mean, dim=-1)
        self.centroids.copy_(torch.where(count > 0, moved, self.centroids))


MODULE = RoutingAttention
