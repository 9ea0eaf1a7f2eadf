"""Reformer attention (Kitaev et al. 2020, arXiv 2001.04451): tokens attend to others that hash to the same bucket.

Queries are their own keys, scaled to length one, so there is no key projection. Tokens are sorted by bucket and cut
into chunks; a chunk sees itself and the one before it. The number of buckets is fixed, so that it does not depend on
padding. The first chunk does not see the last one, and pairs found in several rounds are not counted once only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.bias import Places
from leanformer.models.attention.mixer import Mixer, in_chunks, over_rounds, shifted, taken
from leanformer.shapes.encoder import EncoderConfig, LayerShape

_ITSELF = 1e5  # taken off a token's score for itself, which is left if it has no other


def reformer(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, chunk: int, buckets: int, rounds: int, seed: int
) -> Tensor:
    """Attention within buckets of a locality-sensitive hash, over `rounds` hashes.

    Args:
        query, value: `[B, heads, S, D]`. key: not read. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    length = query.shape[-2]
    place = torch.arange(length, device=mask.device)
    hashed = buckets_of(query, buckets, rounds, seed).masked_fill(~mask[:, None, None, :], buckets)
    order = (hashed * length + place).argsort(dim=-1)
    q, k, v = (taken(x[:, :, None], order) for x in (query, F.normalize(query, dim=-1), value))
    # -1 fills the last chunk, and padding is in no bucket.
    labels = in_chunks(hashed.gather(-1, order) + 1, chunk, -1) - 1
    before = shifted(labels + 1, -2, 1) - 1
    among = torch.cat((before, labels), dim=-1)[..., None, :]
    allowed = (labels[..., :, None] == among) & (among >= 0) & (among < buckets)
    q, k, v = in_chunks(q, chunk), _with_before(in_chunks(k, chunk)), _with_before(in_chunks(v, chunk))
    itself = torch.arange(chunk, device=mask.device)[:, None] == torch.arange(-chunk, chunk, device=mask.device)
    scores = (q @ k.mT - _ITSELF * itself).masked_fill(~allowed, torch.finfo(q.dtype).min)
    log = scores.logsumexp(dim=-1, keepdim=True)
    context = ((scores - log).exp() * allowed) @ v
    back = order.argsort(dim=-1)
    context = taken(context.flatten(-3, -2)[..., :length, :], back)
    return over_rounds(context, log.flatten(-3)[..., :length].gather(-1, back))


def buckets_of(x: Tensor, buckets: int, rounds: int, seed: int) -> Tensor:
    """The bucket of each vector in each round, `[..., R, S]`: the largest entry of [x R, -x R] for random R."""
    if buckets < 2:
        return torch.zeros(*x.shape[:-2], rounds, x.shape[-2], dtype=torch.int64, device=x.device)
    generator = torch.Generator().manual_seed(seed)
    turn = torch.randn(rounds, x.shape[-1], buckets // 2, generator=generator).to(x)
    turned = x.detach()[..., None, :, :] @ turn
    return torch.cat((turned, -turned), dim=-1).argmax(dim=-1)


def _with_before(chunks: Tensor) -> Tensor:
    return torch.cat((shifted(chunks, -3, 1), chunks), dim=-2)


class ReformerAttention(Mixer):
    """Reformer's attention without a key projection."""

    HEAD_ROWS = ("query", "value")

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        del self.key

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        query, value = self._split(self.query(x)), self._split(self.value(x))
        context, weights = self.attend(query, query, value, places, with_probabilities=with_probabilities)
        return self.output(context.transpose(1, 2).flatten(2)), weights


MODULE = ReformerAttention
