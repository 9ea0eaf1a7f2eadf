"""Token pruning: tokens that receive little attention are removed on the way through the layers.

PoWER-BERT (Goyal et al. 2020, arXiv 2001.08950): behind the attention of each layer only the tokens that received most
of it go on. Here the lengths are given; the paper learns them. A reference: nothing exports it.

Shapes: B rows, S tokens (padded on the right), H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.models.attention.bias import Places
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer


@dataclass(frozen=True)
class Survivors:
    """The tokens that are left behind the last layer.

    Attributes:
        states: hidden states `[B, K, H]`, in the order of the tokens. mask: `[B, K]`, true for real ones.
        places: where each stood in its row, `[B, K]`.
    """

    states: Tensor
    mask: Tensor
    places: Tensor


def attention_received(probabilities: Tensor, mask: Tensor) -> Tensor:
    """The attention that each token gets from the row's other tokens, the mean over heads: `[B, S]`.

    Args:
        probabilities: `[B, heads, S, S]`, of queries and keys. mask: `[B, S]`, true for real tokens.
    """
    real = mask.to(probabilities.dtype)
    mean = probabilities.mean(dim=1)
    others = mean - torch.diag_embed(mean.diagonal(dim1=1, dim2=2))
    return (others * real[:, :, None]).sum(dim=1) * real


def kept_tokens(scores: Tensor, mask: Tensor, stays: Tensor, count: int) -> Tensor:
    """Which tokens go on, `[B, S]`: those that stay, and of the other real ones the best, until there are `count`.

    Of equal scores the first token is better. A row of fewer real tokens keeps all.
    """
    ranked = scores.masked_fill(stays, torch.inf).masked_fill(~mask, -torch.inf)
    order = ranked.argsort(dim=1, descending=True, stable=True)
    best = torch.zeros_like(mask)
    best.scatter_(1, order[:, :count], True)
    return (best | stays) & mask


def pruned_states(
    model: Classifier, ids: Tensor, mask: Tensor, counts: Sequence[int], *, types: Tensor | None = None,
    stays: Tensor | None = None, compacted: bool = True,
) -> Survivors:  # fmt: skip
    """Run the layers, and remove tokens behind the attention of each.

    Args:
        ids, mask, types: as for `Encoder`.
        counts: the most tokens that go on, for each layer.
        stays: tokens that are never removed, `[B, S]`, such as those to be tagged; the first one never is.
        compacted: take removed tokens out. Otherwise they are only hidden from the others, which costs as much time as
            ever; the survivors' states are the same.

    Raises `LeanformerError` for a model whose attention knows distances of tokens, and for other numbers of counts.
    """
    config, encoder = model.config, model.encoder
    if config.norm_first or not config.places_by_table_alone:
        raise LeanformerError(
            "tokens are pruned in post-norm encoders with learnt positions: elsewhere attention reads "
            "distances\n  remedy: a model of BERT's kind"
        )
    if len(counts) != len(config.layers) or min(counts) < 1:
        raise LeanformerError(f"{len(config.layers)} layers need as many counts of at least 1, not {list(counts)}")
    mask = mask.bool()
    x = encoder.embeddings(ids, types if config.token_types > 1 else None)
    places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    fixed = (places == 0) if stays is None else stays.bool() | (places == 0)
    for layer, count in zip(encoder.layers, counts, strict=True):
        assert isinstance(layer, Layer)
        attended, probabilities = layer.attention(x, Places(encoder.bias, mask, x.dtype), with_probabilities=True)
        x = layer.attention_norm(x + attended)
        assert probabilities is not None
        mask = kept_tokens(attention_received(probabilities, mask), mask, fixed & mask, count)
        if compacted:
            x, mask, places, fixed = _compacted(x, mask, places, fixed)
        x = layer.ffn_norm(x + layer.ffn(x))
    return Survivors(*_compacted(x, mask, places, fixed)[:3])


def _compacted(x: Tensor, mask: Tensor, *rows: Tensor) -> tuple[Tensor, ...]:
    """The real tokens of `[B, S, ...]` in their order, filled up on the right to the longest row."""
    width = int(mask.sum(dim=1).max())
    order = (~mask).int().argsort(dim=1, stable=True)[:, :width]
    states = x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))
    return states, *(row.gather(1, order) for row in (mask, *rows))
