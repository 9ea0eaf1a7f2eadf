"""Reference kinds of attention: pure functions of queries, keys, values and the mask, as parts of the encoder.

Shapes: B rows, S tokens (padded on the right), D head size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.bias import Places
from leanformer.models.attention.heads import MultiHead
from leanformer.shapes.encoder import EncoderConfig, LayerShape


class Mixer(MultiHead):
    """Attention by a function of the file that is named after its kind; attention dropout is omitted.

    The function takes queries, keys and values `[B, heads, S, D]`, the mask `[B, S]` (true for real tokens) and the
    options of the shape, and returns the context `[B, heads, S, D]`. What it returns for padding is not defined. A kind
    with parameters is a subclass with its own `mix`.
    """

    HAS_WEIGHTS: ClassVar[bool] = True
    """Whether the output of a head is a weighted sum of its values, with one weight for each pair of tokens."""

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape)
        self.function, self.options = function, asdict(shape.attention)  # type: ignore[call-overload]

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """The context, see the class."""
        return self.function(query, key, value, mask, **self.options)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, places: Places, *, with_probabilities: bool
    ) -> tuple[Tensor, Tensor | None]:
        mask = places.mask.bool()
        context = self.mix(query, key, value, mask)
        if not with_probabilities:
            return context, None
        if not self.HAS_WEIGHTS:
            raise ValueError(f"{self.shape.attention.kind} has no weights of pairs of tokens")
        # The output is linear in the values, so those of unit vectors are the weights.
        unit = torch.eye(value.shape[-2], dtype=value.dtype, device=value.device)
        return context, self.mix(query, key, unit.expand(*value.shape[:-1], -1), mask)


def masked_softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the last axis where `allowed`; zeros in a row where nothing is."""
    lowest = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~allowed, lowest), dim=-1) * allowed


def in_chunks(x: Tensor, size: int, dim: int = -2) -> Tensor:
    """Split the axis `dim` (negative) into chunks of `size`: `[..., S, ...]` to `[..., C, size, ...]`."""
    missing = -x.shape[dim] % size
    padded = F.pad(x, [0, 0] * (-dim - 1) + [0, missing])
    return padded.unflatten(dim, (-1, size))


def shifted(chunks: Tensor, dim: int, by: int) -> Tensor:
    """Chunk `c - by` in place of chunk c, zeros where there is none; `dim` is the negative axis of chunks."""
    if abs(by) >= chunks.shape[dim]:
        return torch.zeros_like(chunks)
    return F.pad(chunks, [0, 0] * (-dim - 1) + [by, -by])


def taken(x: Tensor, index: Tensor) -> Tensor:
    """Rows `index` `[..., K]` of `x` `[..., S, D]`, leading axes broadcast: `[..., K, D]`."""
    leading = torch.broadcast_shapes(x.shape[:-2], index.shape[:-1])
    x, index = x.expand(*leading, -1, -1), index.expand(*leading, -1)
    return x.gather(-2, index[..., None].expand(*index.shape, x.shape[-1]))


def over_rounds(contexts: Tensor, logs: Tensor) -> Tensor:
    """Contexts `[..., R, S, D]` of R rounds, weighted by the sums of their scores, whose logarithms are `logs`."""
    return (torch.softmax(logs, dim=-2)[..., None] * contexts).sum(dim=-3)
