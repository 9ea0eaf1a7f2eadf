"""Floating-point operations of the matrix products, counted from a shape alone: the one count that all rooms use.

A multiplication with its addition is two operations, as `torch.utils.flop_counter` counts. Only products are counted:
softmax, norms, activations, tables and biases are linear in the width and small beside them. Operations are no time
(see docs/measuring.md); they say how much of a speed-up is less work, and how much of the work is padding.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What the count depends on. The defaults of the later fields are those of BERT.

    Attributes:
        hidden: width of the residual stream. head_size: width of a head, the same everywhere.
        layers: (heads, feed-forward width) of each layer.
        labels: number of logits; 0 counts the encoder alone.
        pooler: whether a dense layer of the hidden width stands before the logits.
        first_only: whether the last layer computes queries, output and feed-forward for the first token alone, as the
            exported graph does where the head reads no other; PyTorch computes all.
        gated: whether feed-forward blocks have a second map that the first is multiplied with.
        embedding: width of the embedding tables where a linear map then leads to `hidden`; None means `hidden`.
        every_token: whether each token has logits.
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

    def asked(self, layer: int, tokens: int) -> int:
        """How many tokens of a layer's output are computed."""
        return 1 if self.first_only and layer == len(self.layers) - 1 else tokens

    def head_flops(self, tokens: int, asked: int) -> int:
        """One attention head: its query, key, value and output maps and its two products; `asked` tokens come out.

        Local attention counts in full: its products are masked, not left out.
        """
        return 4 * (tokens + asked) * self.hidden * self.head_size + 4 * asked * tokens * self.head_size

    def unit_flops(self, asked: int) -> int:
        """One feed-forward unit: its row of the first map, and of a gate, its column of the second."""
        return (6 if self.gated else 4) * asked * self.hidden


def encoder_flops(shape: Shape, rows: int, tokens: int) -> int:
    """Operations for a batch of `rows` rows of `tokens` tokens, padding included."""
    total = 0 if shape.embedding is None else 2 * tokens * shape.embedding * shape.hidden
    for index, (heads, ffn) in enumerate(shape.layers):
        asked = shape.asked(index, tokens)
        total += heads * shape.head_flops(tokens, asked) + ffn * shape.unit_flops(asked)
    if shape.labels:
        read = tokens if shape.every_token else 1
        total += 2 * read * shape.hidden * ((shape.hidden if shape.pooler else 0) + shape.labels)
    return rows * total


@dataclass(frozen=True)
class LstmShape:
    """What the count depends on for embeddings, one bidirectional LSTM, a projection and logits.

    Attributes:
        embedding: width of what goes into the LSTM. units: in each direction. projection: its width.
        labels: number of logits.
        every_token: whether each token has logits; else the projection, too, is computed for a text once.
    """

    embedding: int
    units: int
    projection: int
    labels: int
    every_token: bool = True


def recurrent_flops(shape: LstmShape, rows: int, tokens: int) -> int:
    """Operations for `rows` rows of `tokens` tokens."""
    read = tokens if shape.every_token else 1
    above = 2 * read * shape.projection * (2 * shape.units + shape.labels)
    return lstm_flops(shape.embedding, shape.units, rows, tokens) + rows * above


def lstm_flops(width_in: int, units: int, rows: int, tokens: int, *, directions: int = 2) -> int:
    """Operations of one LSTM layer: four gates from the input and from the state, at every token, in each direction."""
    return directions * rows * tokens * 2 * 4 * units * (width_in + units)
