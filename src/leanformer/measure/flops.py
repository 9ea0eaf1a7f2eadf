"""The work that an artifact does for texts of given lengths: operations, padding, memory traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leanformer.shapes.flops import LstmShape, Shape, encoder_flops, recurrent_flops


def shape_of(properties: Mapping[str, Any], labels: int, *, first_only: bool) -> Shape | None:
    """The shape that the properties of a graph tell, or None where they do not.

    The head size, where it is not written, is the hidden width over the heads of the widest layer: it holds for every
    model of which at least one layer kept all heads. A padded graph may have gates and narrow embeddings; one that was
    made before these were written down tells too little.
    """
    layers, hidden = properties.get("layers"), properties.get("hidden")
    if not layers or not hidden or (properties.get("layout") == "padded" and "gated_ffn" not in properties):
        return None
    known = properties.get("head_size")
    head_size = int(known) if known else int(hidden) // max(int(heads) for heads, _ in layers)
    pooling = properties.get("pooling", "first")
    return Shape(
        int(hidden), head_size, tuple((int(heads), int(ffn)) for heads, ffn in layers), labels,
        pooler=pooling != "none", first_only=first_only and pooling == "first", every_token=pooling == "none",
        gated=bool(properties.get("gated_ffn", False)), embedding=properties.get("embedding"),
    )  # fmt: skip


def shape_of_recurrent(facts: Mapping[str, Any], labels: int) -> LstmShape | None:
    """The shape of a recurrent classifier, from the properties of its graph or its own `bilstm.json`; else None."""
    if "units" not in facts or "projection" not in facts:
        return None
    return LstmShape(
        int(facts["embedding"]), int(facts["units"]), int(facts["projection"]), labels,
        every_token=facts.get("pooling") == "none",
    )  # fmt: skip


def shape_of_encoder(config: Mapping[str, Any], labels: int) -> Shape:
    """The shape of an artifact of format "encoder", from what `encoder.json` says; PyTorch computes every token."""
    layers = tuple((int(one["heads"]), int(one["ffn"])) for one in config["layers"])
    tags = config.get("head", {}).get("pooling", "first") == "none"
    return Shape(
        int(config["hidden"]), int(config["head_size"]), layers, labels, pooler=not tags,
        gated=bool(config.get("gated_ffn", False)), embedding=config.get("embedding"), every_token=tags,
    )  # fmt: skip


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


def flops_of(shape: Shape | LstmShape, rows: int, tokens: int) -> int:
    """Operations for `rows` rows of `tokens` tokens, padding included."""
    if isinstance(shape, LstmShape):
        return recurrent_flops(shape, rows, tokens)
    return encoder_flops(shape, rows, tokens)


def work(shape: Shape | LstmShape, batches: Sequence[Sequence[int]], *, pad_to: int | None = None) -> Work:
    """Operations for batches given as the lengths of their rows in tokens.

    Every row of a batch is padded to the longest of it, and to at least `pad_to` tokens.
    """
    real = sum(flops_of(shape, 1, length) for batch in batches for length in batch)
    done = sum(flops_of(shape, len(batch), max(pad_to or 0, *batch)) for batch in batches)
    texts = sum(len(batch) for batch in batches)
    return Work(real, done, done / texts, 1 - real / done)


def traffic_bytes(
    weight_bytes: int, shape: Shape | LstmShape, rows: int, tokens: int, *, activation_bytes: int = 4
) -> int:
    """A lower estimate of the bytes moved between memory and processor for one batch.

    The weights once (of a word table only the rows looked up: subtract the rest from `weight_bytes`), and the input
    and output of each matrix product once. A cache makes it less, a small one more; it is an estimate, to tell whether
    arithmetic or memory is the limit.
    """
    elements = 0
    if isinstance(shape, LstmShape):
        read = tokens if shape.every_token else 1
        # In both directions: the input, the four gates, state and cell; then the projection and what it reads.
        elements = 2 * tokens * (shape.embedding + 6 * shape.units) + read * (2 * shape.units + 2 * shape.projection)
        return weight_bytes + rows * elements * activation_bytes
    for heads, ffn in shape.layers:
        width = heads * shape.head_size
        elements += tokens * (shape.hidden + 3 * width)  # into and out of queries, keys, values
        elements += 3 * tokens * width + 2 * heads * tokens * tokens + tokens * width  # attention
        elements += tokens * (width + shape.hidden)  # output
        elements += 2 * tokens * (shape.hidden + ffn)  # feed-forward
    return weight_bytes + rows * elements * activation_bytes
