"""Computes logits for rows of token ids with a PyTorch model."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, nn

from leanformer.batching import PaddedBatch, batches_by_length, pad_block

MOST_TOKENS: ContextVar[int] = ContextVar("MOST_TOKENS", default=8192)
"""Tokens of a batch at most, including padding; a training that is short of memory lowers it."""


def to_tensors(block: PaddedBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    """Ids, mask and, for pairs of texts, token types."""
    types = None if block.types is None else torch.from_numpy(block.types).to(device)
    return torch.from_numpy(block.ids).to(device), torch.from_numpy(block.mask).to(device), types


def score_rows(
    model: nn.Module,
    rows: Sequence[np.ndarray],
    *,
    padding_id: int,
    device: torch.device,
    batch_tokens: int | None = 8192,
    pad_to: int | None = None,
) -> np.ndarray:
    """Logits `[rows, outputs]`, float32, of a model that takes padded ids, mask and token types; batched by length.

    For a model with logits per token, they are `[all tokens, outputs]`, row after row.

    Args:
        batch_tokens: maximum number of tokens per batch, including padding, if that is less than `MOST_TOKENS`; None
            runs one row at a time.
        pad_to: pad every batch to at least this width; None pads to its longest row.
    """
    if not rows:
        return np.zeros((0, 0), dtype=np.float32)
    batch_tokens = None if batch_tokens is None else min(batch_tokens, MOST_TOKENS.get())
    results: list[tuple[list[int], np.ndarray]] = []
    # With a fixed width, the budget is used up by this width rather than by the lengths of the rows.
    widths = rows if pad_to is None else [np.empty(max(pad_to, len(row))) for row in rows]
    with torch.inference_mode():
        for batch in batches_by_length(widths, batch_tokens):
            width = max(len(widths[i]) for i in batch)
            block = pad_block([rows[i] for i in batch], padding_id=padding_id, length=width)
            ids, mask, types = to_tensors(block, device)
            # A model for single texts need not accept token types.
            scores = model(ids, mask) if types is None else model(ids, mask, types)
            results.append((batch, scores.float().cpu().numpy()))
    outputs = results[0][1].shape[-1]
    if results[0][1].ndim == 2:
        logits = np.empty((len(rows), outputs), dtype=np.float32)
        for batch, scores in results:
            logits[batch] = scores
        return logits
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    logits = np.empty((int(starts[-1]), outputs), dtype=np.float32)
    for batch, scores in results:
        for index, row in enumerate(batch):
            logits[starts[row] : starts[row + 1]] = scores[index, : len(rows[row])]
    return logits
