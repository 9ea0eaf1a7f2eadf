"""Batches of rows of token ids: which rows are batched together, and how they are padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.errors import DataError


@dataclass(frozen=True)
class PaddedBatch:
    """Padded rows: `ids` and `mask`, int64 `[rows, length]`; `types` likewise for pairs of texts, otherwise None."""

    ids: np.ndarray
    mask: np.ndarray
    types: np.ndarray | None = None


def check_rows(
    rows: Sequence[np.ndarray], *, vocabulary: int | None, positions: int | None, types: int | None = None
) -> None:
    """Raise `DataError` for a row that exceeds the model's numbers of word ids, positions or token types.

    None means no limit. Rows are counted from 1, as texts are; if texts have several windows, windows are counted.
    """
    if not rows:
        return
    lengths = [len(row) for row in rows]
    if not min(lengths) or (positions is not None and max(lengths) > positions):
        for number, length in enumerate(lengths, start=1):
            if not length:
                raise DataError(
                    f"text {number} leaves no token to read", remedy="leave the text out, or give it a word"
                )
            if positions is not None and length > positions:
                raise DataError(
                    f"text {number} has {length} tokens, and the model has {positions} positions",
                    remedy=f"give at most {positions} tokens",
                )
    if types is not None and rows[0].ndim == 2 and max(int(row[:, 1].max()) for row in rows) >= types:
        raise DataError(
            f"a pair has the token type {max(int(row[:, 1].max()) for row in rows)}, and the model's table has {types}",
            remedy="recreate the artifact with the tokenizer of its model",
        )
    ids = [row if row.ndim == 1 else row[:, 0] for row in rows]
    together = ids[0] if len(ids) == 1 else np.concatenate(ids)
    if together.min() < 0 or (vocabulary is not None and together.max() >= vocabulary):
        for number, row in enumerate(ids, start=1):
            wrong = row[(row < 0) | (row >= (vocabulary or np.iinfo(np.int64).max))]
            if len(wrong):
                raise DataError(
                    f"text {number} has the token id {wrong[0]}, and the model's table has {vocabulary} words",
                    remedy="leave the token out of the text, or recreate the artifact from a model whose table has "
                    "a row for every token (resize_token_embeddings)",
                )


def pad_block(rows: Sequence[np.ndarray], *, padding_id: int = 0, length: int | None = None) -> PaddedBatch:
    """Rows of ids `[tokens]`, or of ids and token types `[tokens, 2]`, to a padded block; see `pad`."""
    if rows[0].ndim == 1:
        return PaddedBatch(*pad(rows, padding_id=padding_id, length=length))
    ids, mask = pad([row[:, 0] for row in rows], padding_id=padding_id, length=length)
    types, _ = pad([row[:, 1] for row in rows], length=ids.shape[1])
    return PaddedBatch(ids, mask, types)


def pad(rows: Sequence[np.ndarray], *, padding_id: int = 0, length: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pad rows of ids to a block.

    Returns `(ids, mask)`, both int64 `[rows, length]`; the mask is 1 for real tokens. `length` defaults to the longest
    row and must not be shorter than it.
    """
    longest = max(len(row) for row in rows)
    width = longest if length is None else length
    if width < longest:
        raise ValueError(f"cannot pad a row of {longest} tokens to {width}")
    ids = np.full((len(rows), width), padding_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask


def batches_by_length(rows: Sequence[np.ndarray], batch_tokens: int | None) -> list[list[int]]:
    """Row indices in batches of similar length, each at most `batch_tokens` tokens when padded; None: one row each."""
    if batch_tokens is None:
        return [[index] for index in range(len(rows))]
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        # Rows come in rising length, so the latest one sets the padded width.
        if batches and (len(batches[-1]) + 1) * len(rows[index]) <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
