"""The rows of a training set, and how those of an optimiser step become padded blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from leanformer.batching import pad_block
from leanformer.models.scoring import to_tensors
from leanformer.tagging.ragged import is_ragged

# The label of a token that is no word's first piece: it has no answer, and none is asked for.
NOT_ASKED = -2


@dataclass(frozen=True)
class Batch:
    """One padded block for one forward and backward pass.

    Attributes:
        ids, mask: `[B, S]`, int64.
        labels: `[B]`, int64, -1 where a row has no label; where any number of labels may apply `[B, labels]`, 0 or 1;
            for scores `[B]`, float32, not-a-number where a row has none; for tags `[B, S]`, `NOT_ASKED` on all tokens
            but words' first pieces, and there -1 where the tag is not known.
        rows: `[B]`, the rows' indices in the training set, by which cached teacher outputs are found.
        share: this block's part of the optimiser step's rows; the shares of a step sum to 1.
        types: token types of pairs of texts, `[B, S]`, int64; None for single texts.
        extra: the rows' part of each column of `TrainingSet.extra`.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    rows: np.ndarray
    share: float
    types: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingSet:
    """Tokenized training rows.

    Attributes:
        rows: one int32 array of token ids per text, of ids and token types per pair (see `Tokenizer.encode`).
        labels: as `train.targets.labels_of` gives them, one row per text.
        padding_id: fills up short rows.
        extra: further columns, a value a row, for whatever feed or objective knows their names.
    """

    rows: Sequence[np.ndarray]
    labels: np.ndarray
    padding_id: int
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: Sequence[int]) -> TrainingSet:
        """Some of the rows, in this order."""
        extra = {name: column[list(rows)] for name, column in self.extra.items()}
        return TrainingSet([self.rows[row] for row in rows], self.labels[list(rows)], self.padding_id, extra)


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
    by_length = indices[np.argsort([len(data.rows[i]) for i in indices], kind="stable")]
    start = 0
    while start < len(by_length):
        end = start + 1
        while end < len(by_length) and (end + 1 - start) * len(data.rows[by_length[end]]) <= token_budget:
            end += 1
        block = by_length[start:end]
        ids, mask, types = to_tensors(pad_block([data.rows[i] for i in block], padding_id=data.padding_id), device)
        yield Batch(
            ids=ids,
            mask=mask,
            types=types,
            labels=torch.from_numpy(_labels(data.labels[block], ids.shape[1])).to(device),
            rows=block,
            share=len(block) / len(indices),
            extra={name: torch.from_numpy(column[block]).to(device) for name, column in data.extra.items()},
        )
        start = end
