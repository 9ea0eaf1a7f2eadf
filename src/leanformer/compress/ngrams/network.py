"""A small network on hashed n-grams in PyTorch, for training; it is run from whole numbers (`tiny/model.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.linear.ngrams import CHARACTERS, WORDS, ngrams_of_lengths
from leanformer.predictor import chunked
from leanformer.task import Text
from leanformer.tiny.model import Group, NetworkHead, NgramModel
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.objective import Objective

GROUPS = ((WORDS, 1), (WORDS, 2), (CHARACTERS, 2), (CHARACTERS, 3), (CHARACTERS, 4), (CHARACTERS, 5))
"""Kind and length of the n-grams of each group."""
PADDING = 0
_TYPES = {8: np.int8, 16: np.int16}


class HashedNet(nn.Module):
    """A table of embeddings per group, their sums through one layer of rectified units.

    Args:
        rows: of each table. width: of an embedding. units: of the hidden layer. outputs: number of logits.
        dropout: before the hidden layer and before the outputs.
    """

    def __init__(self, rows: int, width: int, units: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.rows = rows
        self.table = nn.Parameter(torch.randn(1 + len(GROUPS) * rows, width) / width**0.5)
        self.hidden = nn.Linear(len(GROUPS) * width, units)
        self.output = nn.Linear(units, outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        """Logits `[B, outputs]` of rows of `ids_of`, `[B, S]`."""
        groups, there = len(GROUPS), mask.bool() & (ids != PADDING)
        # Ids ascend by group, so that each group's n-grams lie together.
        bags = torch.arange(len(ids), device=ids.device)[:, None] * groups + (ids - 1) // self.rows
        counts = torch.bincount(bags[there], minlength=len(ids) * groups)
        starts = torch.cumsum(counts, 0) - counts
        sums = F.embedding_bag(ids[there], self.table, starts, mode="sum")
        inputs = (sums / counts.clamp_min(1).sqrt()[:, None]).reshape(len(ids), -1)
        logits: Tensor = self.output(self.dropout(torch.relu(self.hidden(self.dropout(inputs)))))
        return logits

    def in_whole_numbers(self, bits: int) -> NgramModel:
        """The network with tables in 8 or 16 bits, one step size per group."""
        tables = self.table[1:].detach().cpu().numpy().astype(np.float64).reshape(len(GROUPS), self.rows, -1)
        steps = np.maximum(np.abs(tables).max(axis=(1, 2)), 1e-12) / (2 ** (bits - 1) - 1)
        groups = [
            Group(kind, length, length, np.rint(table / step).astype(_TYPES[bits]))
            for (kind, length), table, step in zip(GROUPS, tables, steps, strict=True)
        ]
        hidden, output = (
            (layer.weight.detach().cpu().numpy().T.copy(), layer.bias.detach().cpu().numpy())
            for layer in (self.hidden, self.output)
        )
        return NgramModel(tuple(groups), NetworkHead(steps.astype(np.float32), *hidden, *output))


def ids_of(texts: Sequence[Text], rows: int) -> list[np.ndarray]:
    """The n-grams of each text as rows of the joint table, int32, ascending by group; the padding for none."""
    found: list[np.ndarray] = []
    for chunk in chunked(texts, 1000):
        grams = ngrams_of_lengths([str(text).lower() for text in chunk], [(kind, [length]) for kind, length in GROUPS])
        ids = np.concatenate(
            [
                1 + number * rows + ((group.hashes >> np.uint64(32)) % np.uint64(rows)).astype(np.int64)
                for number, group in enumerate(grams)
            ]
        )
        owners = np.concatenate([group.owners for group in grams])
        order = np.argsort(owners, kind="stable")
        parts = np.split(ids[order].astype(np.int32), np.searchsorted(owners[order], np.arange(1, len(chunk))))
        found += [part if len(part) else np.array([PADDING], np.int32) for part in parts]
    return found


class OfProbabilities(Objective):
    """Cross-entropy against the probabilities `[n, outputs]` of the rows of the training set."""

    def __init__(self, probabilities: np.ndarray) -> None:
        super().__init__()
        self._targets = torch.from_numpy(probabilities.astype(np.float32))

    def forward(self, model: HashedNet, batch: Batch) -> Tensor:
        logits = model(batch.ids, batch.mask).float()
        targets = self._targets[torch.from_numpy(np.asarray(batch.rows))].to(logits.device)
        return -(targets * F.log_softmax(logits, dim=-1)).sum(dim=-1).mean()
