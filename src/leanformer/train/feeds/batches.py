"""The rows of a training set, and the padded blocks of an optimiser step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from leanformer.batching import pad_block
from leanformer.models.scoring import to_tensors
from leanformer.tagging.ragged import is_ragged

# The label of a token that is not a word's first token: it has no target and no loss.
NOT_ASKED = -2
# Bits of the label of a token: an answer to a question starts there, or ends there.
STARTS, ENDS = 1, 2
# The logit of a missing candidate, where logits of several questions form a table: low enough that its probability is
# zero, and finite, so that a difference of two is zero as well.
ABSENT = -1e4


@dataclass(frozen=True)
class Batch:
    """One padded block for one forward and backward pass.

    Attributes:
        ids, mask: `[rows, S]`, int64; the number of rows is `B` unless examples consist of several rows.
        labels: `[B]`, int64, -1 for a row without a label; for any number of labels `[B, labels]`, 0 or 1; for scores
            `[B]`, float32, NaN for a row without one; for tags `[B, S]`, `NOT_ASKED` at all tokens except words' first
            tokens, and -1 there if the tag is unknown; for spans `[B, S]`, `STARTS` and `ENDS` (see
            `train.passages.Passages`).
        rows: the rows' indices in the training set, to look up cached teacher outputs.
        share: this block's share of the optimiser step's rows; the shares of a step sum to 1.
        types: token types of pairs of texts, `[B, S]`, int64; None for single texts.
        counts: number of rows per example, `[B]`, int64, if examples consist of several rows; else None.
        averaged: whether these rows are windows of a text, whose logits are averaged; otherwise they are candidates.
        extra: the rows' part of each column of `TrainingSet.extra`.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    rows: np.ndarray
    share: float
    types: Tensor | None = None
    counts: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    averaged: bool = False

    def of_examples(self, logits: Tensor) -> Tensor:
        """Row logits as example logits: means `[B, outputs]` over windows, or `[B, most rows]` of candidates."""
        if self.counts is None:
            return logits
        return averages(logits, self.counts) if self.averaged else folded(logits, self.counts)


def averages(logits: Tensor, counts: Tensor) -> Tensor:
    """Means over runs of `counts` rows: `[rows, outputs]` to `[len(counts), outputs]`."""
    counts = counts.to(logits.device)
    example = torch.repeat_interleave(torch.arange(len(counts), device=logits.device), counts)
    return logits.new_zeros(len(counts), logits.shape[1]).index_add(0, example, logits) / counts[:, None]


def folded(logits: Tensor, counts: Tensor) -> Tensor:
    """Logits `[rows, 1]` of examples with `counts` rows each as `[len(counts), most rows]`, padded with `ABSENT`."""
    there = torch.arange(int(counts.max()), device=logits.device)[None] < counts.to(logits.device)[:, None]
    table = logits.new_full(there.shape, ABSENT)
    table[there] = logits[:, 0]
    return table


@dataclass(frozen=True)
class TrainingSet:
    """Tokenized training examples, each consisting of one or several rows.

    Attributes:
        rows: one int32 array per text with its token ids, or per pair with ids and token types (see
            `Tokenizer.encode`).
        labels: as returned by `train.targets.labels_of`, one per example.
        padding_id: the id that short rows are padded with.
        counts: number of rows per example, int64, if examples consist of several rows; else None.
        averaged: see `Batch`.
        extra: further columns, one value per example, for feeds or objectives that look them up by name.
    """

    rows: Sequence[np.ndarray]
    labels: np.ndarray
    padding_id: int
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    counts: np.ndarray | None = None
    averaged: bool = False

    def __len__(self) -> int:
        return len(self.rows) if self.counts is None else len(self.counts)

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(() if self.counts is None else self.counts)])

    def rows_of(self, examples: Iterable[int], most: int | None = None) -> list[int]:
        """The row indices of these examples; if they are windows, at most so many of each, spread over the text."""
        if self.counts is None:
            return list(examples)
        return [row for example in examples for row in self._rows_of(example, most)]

    def _rows_of(self, example: int, most: int | None) -> list[int]:
        first, end = int(self._starts[example]), int(self._starts[example + 1])
        if most is None or end - first <= most or not self.averaged:
            return list(range(first, end))
        return np.linspace(first, end - 1, most).round().astype(int).tolist()

    @property
    def joined(self) -> Sequence[np.ndarray]:
        """The rows of each example, concatenated."""
        if self.counts is None:
            return self.rows
        return [np.concatenate([self.rows[row] for row in self.rows_of([number])]) for number in range(len(self))]

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of tokens in each example's longest row, `[len(self)]`."""
        lengths = np.array([len(row) for row in self.rows], dtype=np.int64)
        return lengths if self.counts is None else np.maximum.reduceat(lengths, self._starts[:-1])

    def select(self, rows: Sequence[int]) -> TrainingSet:
        """The given examples, in this order."""
        extra = {name: column[list(rows)] for name, column in self.extra.items()}
        chosen = [self.rows[row] for row in self.rows_of(rows)]
        counts = None if self.counts is None else self.counts[list(rows)]
        return TrainingSet(chosen, self.labels[list(rows)], self.padding_id, extra, counts, self.averaged)


def _labels(labels: np.ndarray, width: int) -> np.ndarray:
    """The labels of a block's rows; token labels are padded to its width."""
    if not is_ragged(labels):
        return labels
    block = np.full((len(labels), width), NOT_ASKED, dtype=np.int64)
    for index, row in enumerate(labels):
        block[index, : len(row)] = row
    return block


def to_batches(data: TrainingSet, indices: np.ndarray, *, token_budget: int, device: torch.device) -> Iterator[Batch]:
    """The blocks of one optimiser step: one, or several if the padded rows would exceed `token_budget` tokens.

    The loop accumulates the blocks' gradients weighted by their shares, so the split affects memory, not the result.
    The windows of a text cannot be split, as they have one loss: of a text with more than fit, evenly spaced ones are
    taken.
    """
    by_length = indices[np.argsort(data.lengths[indices], kind="stable")]
    counts = np.ones(len(by_length), dtype=np.int64) if data.counts is None else data.counts[by_length]
    most = np.maximum(1, token_budget // np.maximum(1, data.lengths[by_length]))
    counts = np.minimum(counts, most) if data.averaged else counts
    start = 0
    while start < len(by_length):
        end = start + 1
        while end < len(by_length) and counts[start : end + 1].sum() * data.lengths[by_length[end]] <= token_budget:
            end += 1
        block = by_length[start:end]
        rows = [
            row for example, few in zip(block, most[start:end], strict=True) for row in data.rows_of([example], few)
        ]
        ids, mask, types = to_tensors(pad_block([data.rows[row] for row in rows], padding_id=data.padding_id), device)
        yield Batch(
            ids=ids,
            mask=mask,
            types=types,
            labels=torch.from_numpy(_labels(data.labels[block], ids.shape[1])).to(device),
            rows=block if data.counts is None else np.array(rows),
            counts=None if data.counts is None else torch.from_numpy(counts[start:end]).to(device),
            averaged=data.averaged,
            share=len(block) / len(indices),
            extra={name: torch.from_numpy(column[block]).to(device) for name, column in data.extra.items()},
        )
        start = end
