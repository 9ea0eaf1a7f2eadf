"""Rows of token ids to batches: which rows go together, and how they are padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Block:
    """Padded rows: `ids` and `mask`, int64 `[rows, length]`; `types` likewise for pairs of texts, else None."""

    ids: np.ndarray
    mask: np.ndarray
    types: np.ndarray | None = None


def pad_block(rows: Sequence[np.ndarray], *, padding_id: int = 0, length: int | None = None) -> Block:
    """Rows of ids `[tokens]`, or of ids and token types `[tokens, 2]`, to a padded block; see `pad`."""
    if rows[0].ndim == 1:
        return Block(*pad(rows, padding_id=padding_id, length=length))
    ids, mask = pad([row[:, 0] for row in rows], padding_id=padding_id, length=length)
    types, _ = pad([row[:, 1] for row in rows], length=ids.shape[1])
    return Block(ids, mask, types)


def pad(rows: Sequence[np.ndarray], *, padding_id: int = 0, length: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids to a padded block.

    Returns `(ids, mask)`, both int64 `[rows, length]`, the mask 1 where a token is real. `length` defaults to
    the longest row and must not be shorter than it.
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
    """Row indices in batches of similar length, each at most `batch_tokens` tokens when padded; None: one by one."""
    if batch_tokens is None:
        return [[index] for index in range(len(rows))]
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        # Rows come in rising length, so the newest one sets the padded width.
        if batches and (len(batches[-1]) + 1) * len(rows[index]) <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
