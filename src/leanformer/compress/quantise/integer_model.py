"""A classifier whose activations, softmax and layer norms are those of I-BERT, for as long as a context lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from leanformer.compress.quantise import i_bert
from leanformer.models.attention.bias import Places
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.models.surgery import layer_at


@contextmanager
def integer_only(model: Classifier, *, bits: int = 8) -> Iterator[None]:
    """Within it, GELU, softmax and norms of all layers use whole numbers; `bits` are those of what they are given.

    Norms are given the sum of the residual branch, which has 32 bits in the paper and 22 here.
    """
    changed: list[tuple[Any, str]] = []

    def put(module: Any, name: str, function: Callable[..., Any]) -> None:
        setattr(module, name, function)
        changed.append((module, name))

    for index in range(len(model.config.layers)):
        layer: Layer = layer_at(model, index)
        put(layer.ffn, "forward", partial(_feed_forward, layer.ffn, bits))
        put(layer.attention, "attend", partial(_attend, layer.attention, bits))
        for norm in (layer.attention_norm, layer.ffn_norm):
            put(norm, "forward", partial(_norm, norm))
    try:
        yield
    finally:
        for module, name in changed:
            delattr(module, name)


def _feed_forward(ffn: Any, bits: int, x: Tensor) -> Tensor:
    whole, scale = i_bert.gelu(*i_bert.whole(ffn.up(x), bits))
    result: Tensor = ffn.down((whole * scale).to(x.dtype))
    return result


def _attend(
    attention: Any, bits: int, query: Tensor, key: Tensor, value: Tensor, places: Places, *, with_probabilities: bool
) -> tuple[Tensor, Tensor | None]:
    scores, bias = query @ key.transpose(-1, -2) / attention.head_size**0.5, places.bias(attention.shape)
    hidden = torch.zeros_like(scores, dtype=torch.bool) if bias is None else (bias < -1e3).expand_as(scores)
    # Padding is far below all scores, and would take the whole range of the grid.
    whole, scale = i_bert.whole(scores.masked_fill(hidden, 0.0), bits)
    found, unit = i_bert.softmax(whole.masked_fill(hidden, whole.min().item() - 40 / scale), scale)
    probabilities = (found * unit).to(value.dtype)
    return probabilities @ value, probabilities


def _norm(norm: Any, x: Tensor) -> Tensor:
    return i_bert.layer_norm(i_bert.whole(x, 22)[0], norm.weight, norm.bias)
