"""Floating-point operations of the matrix products, computed from a shape alone; the only such count in the project.

A multiply-add counts as two operations, as in `torch.utils.flop_counter`. Only products are counted: softmax, norms,
activations, tables and biases are linear in the width and small in comparison. Operations are not time (see
docs/measuring.md); they show how much of a speedup comes from less work, and how much of the work is padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from leanformer.shapes.attention import SOFTMAX, AttentionShape
from leanformer.shapes.feedforward import unit_flops


class Shape(Protocol):
    """What a model's cost depends on; each kind of model counts its own operations."""

    def flops(self, rows: int, tokens: int) -> int:
        """Operations for a batch of `rows` rows of `tokens` tokens, padding included."""
        ...

    def elements(self, tokens: int) -> int:
        """Number of entries of the inputs and outputs of all products for one row of `tokens` tokens."""
        ...


@dataclass(frozen=True)
class EncoderShape:
    """What the cost of an encoder depends on. The defaults of the later fields are those of BERT.

    Attributes:
        hidden: width of the residual stream. head_size: width of a head, the same everywhere.
        layers: (heads, feed-forward width) of each layer.
        labels: number of logits; 0 counts the encoder alone.
        pooler: whether there is a dense layer of the hidden width before the logits.
        first_only: whether the last layer computes queries, output and feed-forward for the first token alone, as the
            exported graph does if the head reads only that token; PyTorch computes all.
        gated: whether feed-forward blocks multiply the first map with a second one.
        embedding: width of the embedding tables if a linear map projects them to `hidden`; None means `hidden`.
        every_token: whether each token has logits.
        attention: the kind of each layer's attention; if omitted, softmax in all.
    """

    hidden: int
    head_size: int
    layers: tuple[tuple[int, int], ...]
    labels: int = 0
    pooler: bool = True
    first_only: bool = False
    gated: bool = False
    embedding: int | None = None
    every_token: bool = False
    attention: tuple[AttentionShape, ...] = ()

    def __post_init__(self) -> None:
        if not self.attention:
            object.__setattr__(self, "attention", (SOFTMAX,) * len(self.layers))

    def asked(self, layer: int, tokens: int) -> int:
        """Number of tokens for which a layer's output is computed."""
        return 1 if self.first_only and layer == len(self.layers) - 1 else tokens

    def head_flops(self, layer: int, tokens: int) -> int:
        """One attention head of a layer: its query, key, value and output maps and its own products."""
        asked = self.asked(layer, tokens)
        maps = self.attention[layer].maps * (tokens + asked) * self.hidden * self.head_size
        return maps + self.attention[layer].flops(tokens, asked, self.head_size)

    def unit_flops(self, layer: int, tokens: int) -> int:
        """One feed-forward unit of a layer."""
        return self.asked(layer, tokens) * unit_flops(self.hidden, gated=self.gated)

    def flops(self, rows: int, tokens: int) -> int:
        """Operations of layers, head and the projection of narrow embeddings."""
        total = 0 if self.embedding is None else 2 * tokens * self.embedding * self.hidden
        for layer, (heads, ffn) in enumerate(self.layers):
            total += heads * self.head_flops(layer, tokens) + ffn * self.unit_flops(layer, tokens)
        if self.labels:
            read = tokens if self.every_token else 1
            total += 2 * read * self.hidden * ((self.hidden if self.pooler else 0) + self.labels)
        return rows * total

    def elements(self, tokens: int) -> int:
        total = 0
        for (heads, ffn), attention in zip(self.layers, self.attention, strict=True):
            width = heads * self.head_size
            total += tokens * (self.hidden + 3 * width)  # into and out of queries, keys, values
            total += 3 * tokens * width + 2 * heads * attention.elements(tokens, self.head_size) + tokens * width
            total += tokens * (width + self.hidden)  # output
            total += 2 * tokens * (self.hidden + ffn)  # feed-forward
        return total


@dataclass(frozen=True)
class Work:
    """Operations for a set of texts.

    Attributes:
        real: operations on the texts' own tokens. done: operations computed, padding included.
        per_text: `done` divided by the number of texts.
        waste: share of `done` spent on padding.
    """

    real: int
    done: int
    per_text: float
    waste: float


def work(shape: Shape, batches: Sequence[Sequence[int]], *, pad_to: int | None = None) -> Work:
    """Operations for batches, given as the lengths of their rows in tokens.

    Every row is padded to the longest of its batch, and to at least `pad_to` tokens.
    """
    real = sum(shape.flops(1, length) for batch in batches for length in batch)
    done = sum(shape.flops(len(batch), max(pad_to or 0, *batch)) for batch in batches)
    texts = sum(len(batch) for batch in batches)
    return Work(real, done, done / texts, 1 - real / done)


def traffic_bytes(weight_bytes: int, shape: Shape, rows: int, tokens: int, *, activation_bytes: int = 4) -> int:
    """A lower estimate of the bytes moved between memory and processor for one batch.

    Weights count once (of a word table only the rows looked up: subtract the rest from `weight_bytes`), and so do the
    input and output of each matrix product. Caches reduce the traffic, small ones increase it; the estimate is only for
    telling whether arithmetic or memory is the bottleneck.
    """
    return weight_bytes + rows * shape.elements(tokens) * activation_bytes
