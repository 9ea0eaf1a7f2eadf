"""Floating-point operations of a model's matrix products, counted from its shape alone.

A multiplication and an addition are two operations. Only products are counted: softmax, norms, activations, tables
and biases are not, as in PyTorch's counter. Operations are no time (see docs/measuring.md); they say how much of a
speed-up is less work, and how much of the work is padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """What the count depends on.

    Attributes:
        hidden: width of the residual stream. head_size: width of a head, the same everywhere.
        layers: (heads, feed-forward width) of each layer.
        labels: number of logits; 0 counts the encoder alone.
        pooler: whether a dense layer of the hidden width stands before the logits.
        first_only: whether the last layer computes queries, output and feed-forward for the first token alone, as the
            exported graph does; PyTorch computes all.
        every_token: whether each token has logits, without a pooler.
    """

    hidden: int
    head_size: int
    layers: tuple[tuple[int, int], ...]
    labels: int = 0
    pooler: bool = True
    first_only: bool = False
    every_token: bool = False


def shape_of(
    properties: Mapping[str, Any], labels: int, *, first_only: bool, every_token: bool = False
) -> Shape | None:
    """The shape that an artifact's properties tell, or None where they do not.

    The head size, where it is not written, is the hidden width over the heads of the widest layer: it holds for every
    model of which at least one layer kept all heads.
    """
    layers, hidden = properties.get("layers"), properties.get("hidden")
    if not layers or not hidden:
        return None
    known = properties.get("head_size")
    head_size = int(known) if known else int(hidden) // max(int(heads) for heads, _ in layers)
    shapes = tuple((int(heads), int(ffn)) for heads, ffn in layers)
    return Shape(
        int(hidden), head_size, shapes, labels, pooler=not every_token, first_only=first_only, every_token=every_token
    )


def encoder_flops(shape: Shape, rows: int, tokens: int) -> int:
    """Operations for a batch of `rows` rows of `tokens` tokens, padding included."""
    total = 0
    for index, (heads, ffn) in enumerate(shape.layers):
        width = heads * shape.head_size
        asked = 1 if shape.first_only and index == len(shape.layers) - 1 else tokens
        total += 2 * tokens * shape.hidden * 2 * width  # keys, values
        total += 2 * asked * shape.hidden * width  # queries
        total += 2 * asked * tokens * width * 2  # scores, and their sum of values
        total += 2 * asked * width * shape.hidden  # output
        total += 2 * asked * shape.hidden * ffn * 2  # feed-forward
    if shape.labels:
        total += 2 * shape.hidden * shape.hidden if shape.pooler else 0
        total += 2 * shape.hidden * shape.labels * (tokens if shape.every_token else 1)
    return rows * total


def lstm_flops(width_in: int, units: int, rows: int, tokens: int, *, directions: int = 2) -> int:
    """Operations of one LSTM layer: four gates from the input and from the state, at every token, in each direction."""
    return directions * rows * tokens * 2 * 4 * units * (width_in + units)


@dataclass(frozen=True)
class Work:
    """Operations for a set of texts.

    Attributes:
        real: what the texts' own tokens need. done: what is computed, padding included.
        per_text: `done` over the number of texts.
        waste: share of `done` that falls to padding.
    """

    real: int
    done: int
    per_text: float
    waste: float


def work(shape: Shape, batches: Sequence[Sequence[int]], *, pad_to: int | None = None) -> Work:
    """Operations for batches given as the lengths of their rows in tokens.

    Every row of a batch is padded to the longest of it, and to at least `pad_to` tokens.
    """
    real = sum(encoder_flops(shape, 1, length) for batch in batches for length in batch)
    done = sum(encoder_flops(shape, len(batch), max(pad_to or 0, *batch)) for batch in batches)
    texts = sum(len(batch) for batch in batches)
    return Work(real, done, done / texts, 1 - real / done)


def traffic_bytes(weight_bytes: int, shape: Shape, rows: int, tokens: int, *, activation_bytes: int = 4) -> int:
    """A lower estimate of the bytes moved between memory and processor for one batch.

    The weights once (of a word table only the rows looked up: subtract the rest from `weight_bytes`), and the input
    and output of each matrix product once. A cache makes it less, a small one more; it is an estimate, to tell whether
    arithmetic or memory is the limit.
    """
    elements = 0
    for heads, ffn in shape.layers:
        width = heads * shape.head_size
        elements += tokens * (shape.hidden + 3 * width)  # into and out of queries, keys, values
        elements += 3 * tokens * width + 2 * heads * tokens * tokens + tokens * width  # attention
        elements += tokens * (width + shape.hidden)  # output
        elements += 2 * tokens * (shape.hidden + ffn)  # feed-forward
    return weight_bytes + rows * elements * activation_bytes
