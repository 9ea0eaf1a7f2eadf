"""The rows of a training set, and how those of an optimiser step become padded blocks."""

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

# The label of a token that is no word's first piece: it has no answer, and none is asked for.
NOT_ASKED = -2
# The logit of a candidate that a question has not, where logits of several questions stand in one table: so low that
# its probability is nought, and finite, so that a difference of two is nought as well.
ABSENT = -1e4


@dataclass(frozen=True)
class Batch:
    """One padded block for one forward and backward pass.

    Attributes:
        ids, mask: `[rows, S]`, int64; there are `B` rows, but where examples are several rows.
        labels: `[B]`, int64, -1 where a row has no label; where any number of labels may apply `[B, labels]`, 0 or 1;
            for scores `[B]`, float32, not-a-number where a row has none; for tags `[B, S]`, `NOT_ASKED` on all tokens
            but words' first pieces, and there -1 where the tag is not known.
        rows: the rows' indices in the training set, by which cached teacher outputs are found.
        share: this block's part of the optimiser step's rows; the shares of a step sum to 1.
        types: token types of pairs of texts, `[B, S]`, int64; None for single texts.
        counts: where an example is several rows, of how many each is, `[B]`, int64; else None.
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

    def of_examples(self, logits: Tensor) -> Tensor:
        """Logits of rows as those of examples: `[B, most rows]` where these are several rows, else as they are."""
        return logits if self.counts is None else folded(logits, self.counts)


def folded(logits: Tensor, counts: Tensor) -> Tensor:
    """Logits `[rows, 1]` of so many rows each as `[len(counts), most rows]`, `ABSENT` where there are fewer."""
    there = torch.arange(int(counts.max()), device=logits.device)[None] < counts.to(logits.device)[:, None]
    table = logits.new_full(there.shape, ABSENT)
    table[there] = logits[:, 0]
    return table


@dataclass(frozen=True)
class TrainingSet:
    """Tokenized training examples, each one row or several.

    Attributes:
        rows: one int32 array of token ids per text, of ids and token types per pair (see `Tokenizer.encode`).
        labels: as `train.targets.labels_of` gives them, one for each example.
        padding_id: fills up short rows.
        counts: where an example is several rows, of how many each is, int64; else None.
        extra: further columns, a value an example, for whatever feed or objective knows their names.
    """

    rows: Sequence[np.ndarray]
    labels: np.ndarray
    padding_id: int
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    counts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows) if self.counts is None else len(self.counts)

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(() if self.counts is None else self.counts)])

    def rows_of(self, examples: Iterable[int]) -> list[int]:
        """The numbers of the rows that these examples are."""
        if self.counts is None:
            return list(examples)
        return [row for example in examples for row in range(self._starts[example], self._starts[example + 1])]

    @property
    def joined(self) -> Sequence[np.ndarray]:
        """The rows of each example end to end."""
        if self.counts is None:
            return self.rows
        return [np.concatenate([self.rows[row] for row in self.rows_of([number])]) for number in range(len(self))]

    @cached_property
    def lengths(self) -> np.ndarray:
        """The tokens of each example's longest row, `[len(self)]`."""
        lengths = np.array([len(row) for row in self.rows], dtype=np.int64)
        return lengths if self.counts is None else np.maximum.reduceat(lengths, self._starts[:-1])

    def select(self, rows: Sequence[int]) -> TrainingSet:
        """Some of the examples, in this order."""
        extra = {name: column[list(rows)] for name, column in self.extra.items()}
        chosen = [self.rows[row] for row in self.rows_of(rows)]
        counts = None if self.counts is None else self.counts[list(rows)]
        return TrainingSet(chosen, self.labels[list(rows)], self.padding_id, extra, counts)


def _labels(labels: np.ndarray, width: int) -> np.ndarray:
    """The labels of a block's rows; those of tokens filled up to its width."""
    if not is_ragged(labels):
        return labels
    block = np.full((len(labels), width), NOT_ASKED, dtype=np.int64)
    for index, row in enumerate(labels):
        block[index, : len(row)] = row
    return block


def to_batches(data: TrainingSet, indices: np.ndarray, *, token_budget: int, device: torch.device) -> Iterator[Batch]:
    """The blocks of one optimiser step: one, or several when padded rows would exceed `token_budget` tokens.

    The loop accumulates the gradients of the blocks by their shares, so the split changes memory, not the result.
    """
    by_length = indices[np.argsort(data.lengths[indices], kind="stable")]
    counts = np.ones(len(by_length), dtype=np.int64) if data.counts is None else data.counts[by_length]
    start = 0
    while start < len(by_length):
        end = start + 1
        while end < len(by_length) and counts[start : end + 1].sum() * data.lengths[by_length[end]] <= token_budget:
            end += 1
        block = by_length[start:end]
        rows = data.rows_of(block)
        ids, mask, types = to_tensors(pad_block([data.rows[row] for row in rows], padding_id=data.padding_id), device)
        yield Batch(
            ids=ids,
            mask=mask,
            types=types,
            labels=torch.from_numpy(_labels(data.labels[block], ids.shape[1])).to(device),
            rows=block if data.counts is None else np.array(rows),
            counts=None if data.counts is None else torch.from_numpy(data.counts[block]).to(device),
            share=len(block) / len(indices),
            extra={name: torch.from_numpy(column[block]).to(device) for name, column in data.extra.items()},
        )
        start = end
