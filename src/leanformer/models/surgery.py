"""Smaller classifiers cut out of larger ones: fewer layers, heads, feed-forward units, or another width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.models.config import EncoderConfig, LayerShape
from leanformer.models.encoder import Layer


def keep_layers(model: Classifier, layers: Sequence[int]) -> Classifier:
    """A copy, in the same mode, with only these layers (from 0, rising).

    Raises `ValueError` for a layer that is not there.
    """
    depth = len(model.config.layers)
    if not layers or any(not 0 <= i < depth for i in layers) or list(layers) != sorted(set(layers)):
        raise ValueError(f"layers {list(layers)} are not rising indices below {depth}")
    result = Classifier(replace(model.config, layers=tuple(model.config.layers[i] for i in layers)))
    result.encoder.embeddings.load_state_dict(model.encoder.embeddings.state_dict())
    result.head.load_state_dict(model.head.state_dict())
    for ours, theirs in zip(result.encoder.layers, layers, strict=True):
        ours.load_state_dict(model.encoder.layers[theirs].state_dict())
    return result.train(model.training)


def narrow(model: Classifier, heads: Sequence[Tensor], units: Sequence[Tensor]) -> Classifier:
    """A copy, in the same mode, that keeps these heads and feed-forward units of each layer.

    They are int64 indices, in the order kept.
    Query, key and value lose rows, the attention output loses columns; the first feed-forward map loses rows,
    the second columns. The residual width stays, so heads * head_size need no longer equal it.
    """
    config = model.config
    shapes = tuple(LayerShape(len(h), len(u)) for h, u in zip(heads, units, strict=True))
    result = Classifier(replace(config, layers=shapes))
    state = model.state_dict()
    for i, (kept_heads, kept_units) in enumerate(zip(heads, units, strict=True)):
        prefix = f"encoder.layers.{i}."
        rows = (kept_heads[:, None] * config.head_size + torch.arange(config.head_size)).reshape(-1)
        for name in ("query", "key", "value"):
            for part in ("weight", "bias"):
                key = f"{prefix}attention.{name}.{part}"
                state[key] = state[key][rows]
        state[f"{prefix}attention.output.weight"] = state[f"{prefix}attention.output.weight"][:, rows]
        state[f"{prefix}ffn.up.weight"] = state[f"{prefix}ffn.up.weight"][kept_units]
        state[f"{prefix}ffn.up.bias"] = state[f"{prefix}ffn.up.bias"][kept_units]
        state[f"{prefix}ffn.down.weight"] = state[f"{prefix}ffn.down.weight"][:, kept_units]
    result.load_state_dict(state)
    return result.train(model.training)


def head_norms(model: Classifier, layer: int) -> Tensor:
    """The product of the norms of value and output weights of each head of a layer, `[heads]`."""
    attention, size = _layer(model, layer).attention, model.config.head_size
    value = attention.value.weight.unflatten(0, (-1, size)).flatten(1).norm(dim=1)
    output = attention.output.weight.unflatten(1, (-1, size)).transpose(0, 1).flatten(1).norm(dim=1)
    return value * output


def unit_norms(model: Classifier, layer: int) -> Tensor:
    """The product of the norms of in- and outgoing weights of each feed-forward unit of a layer, `[ffn]`."""
    ffn = _layer(model, layer).ffn
    return ffn.up.weight.norm(dim=1) * ffn.down.weight.norm(dim=0)


def largest_heads(model: Classifier, layer: int, count: int) -> Tensor:
    """The `count` heads of a layer with the largest `head_norms`, in order."""
    return head_norms(model, layer).topk(count).indices.sort().values


def largest_units(model: Classifier, layer: int, count: int) -> Tensor:
    """The `count` feed-forward units of a layer with the largest `unit_norms`, in order."""
    return unit_norms(model, layer).topk(count).indices.sort().values


def _layer(model: Classifier, index: int) -> Layer:
    layer = model.encoder.layers[index]
    assert isinstance(layer, Layer)
    return layer


def fresh_with_reduced_embeddings(config: EncoderConfig, source: Classifier) -> Classifier:
    """A model of another width, drawn at random but for its word table: the source's, reduced by SVD.

    The projection onto the leading right singular vectors is the best approximation of that rank (Eckart and
    Young 1936); it is scaled so that its entries have the standard deviation of a fresh table, 0.02.
    A width above the source's keeps the random columns. The tables must have the same rows.
    """
    model = Classifier(config)
    table = source.encoder.embeddings.word.weight.detach()
    rank = min(config.hidden, table.shape[1])
    _, vectors = torch.linalg.eigh(table.T @ table)
    reduced = table @ vectors.flip(1)[:, :rank]
    with torch.no_grad():
        model.encoder.embeddings.word.weight[:, :rank] = reduced * (0.02 / reduced.std())
    return model
