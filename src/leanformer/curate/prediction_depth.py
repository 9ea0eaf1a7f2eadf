"""Prediction depth: the layer from which on neighbours give the answer of the last one (Baldock et al. 2021).

Rows whose answer is settled in early layers are easy; late ones are ambiguous or mislabelled (arXiv 2106.09647).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NEIGHBOURS = 30
# Neighbours are looked for among so many rows, drawn at random where there are more.
_MOST, _TOGETHER = 20_000, 1024


def prediction_depth(
    states: Sequence[np.ndarray], labels: np.ndarray, seed: int = 13, k: int = NEIGHBOURS
) -> np.ndarray:
    """The depth of each row, int `[n]`: from 0 (the embeddings) to the number of layers.

    Args:
        states: of each layer, from the embeddings on, `[n, width]`. labels: of the rows, `[n]`.
        k: neighbours, of which the majority answers; a row is not among its own.
    """
    answers = np.stack([neighbours_answer(layer, labels, seed, k) for layer in states])
    other = answers != answers[-1]
    # One after the last layer that disagrees; 0 where none does.
    last = len(states) - 1 - other[::-1].argmax(axis=0)
    return np.asarray(np.where(other.any(axis=0), last + 1, 0))


def neighbours_answer(vectors: np.ndarray, labels: np.ndarray, seed: int = 13, k: int = NEIGHBOURS) -> np.ndarray:
    """The commonest label among the `k` nearest other rows, `[n]`; of equally common ones the lowest."""
    count = len(vectors)
    known = np.sort(np.random.default_rng(seed).permutation(count)[:_MOST])
    k = min(k, len(known) - 1)
    one_hot = np.eye(int(labels.max()) + 1, dtype=np.int32)
    squares = (vectors[known] ** 2).sum(axis=1)
    found = np.empty(count, dtype=np.int64)
    for start in range(0, count, _TOGETHER):
        rows = np.arange(start, min(start + _TOGETHER, count))
        distances = squares - 2 * (vectors[rows] @ vectors[known].T)
        at = np.searchsorted(known, rows)
        own = (at < len(known)) & (known[np.minimum(at, len(known) - 1)] == rows)
        distances[np.flatnonzero(own), at[own]] = np.inf
        nearest = known[np.argpartition(distances, k - 1, axis=1)[:, :k]]
        found[rows] = one_hot[labels[nearest]].sum(axis=1).argmax(axis=1)
    return found
