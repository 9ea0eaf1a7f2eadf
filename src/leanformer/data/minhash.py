"""Pairs of texts that nearly equal one another, found by MinHash: for more texts than can be compared exactly.

MinHash (Broder 1997) with bands (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3): the least hash
of a set is shared by two sets with a probability of their Jaccard similarity s. Where all r values of a band agree, two
texts are compared exactly, so a pair that is found is one. With b bands a pair is found with a probability of
1 - (1 - s^r)^b: near pairs may be missed, at a threshold above .05 itself one in a thousand at most; of a bucket with
many texts each is compared with a few, and the next bands bring others together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.data.grams import LETTERS, hashed_grams
from leanformer.data.near_repeats import alike

HASHES = 192
RECALL = 0.999
# In a bucket with more texts, each is compared with so many that follow it; the next bands bring others together.
_NEIGHBOURS = 64
_BLOCK_LETTERS = 4_000_000
_PAIRS = 1_000_000  # compared at a time


@dataclass(frozen=True)
class Bands:
    """How signatures are cut: `count` bands of `rows` values each."""

    count: int
    rows: int

    @classmethod
    def finding(cls, jaccard: float, recall: float = RECALL, hashes: int = HASHES) -> Bands:
        """The longest bands that find a pair of this similarity with at least this probability."""
        fitting = [cls(hashes // rows, rows) for rows in range(1, hashes + 1)]
        found = [bands for bands in fitting if bands.recall(jaccard) >= recall]
        return found[-1] if found else fitting[0]

    def recall(self, similarity: float) -> float:
        """The probability that a pair of texts of this Jaccard similarity is compared."""
        return 1 - (1 - similarity**self.rows) ** self.count


def likely_pairs(
    texts: Sequence[str], jaccard: float, clusters: np.ndarray, bands: Bands | None = None, seed: int = 13
) -> Iterator[np.ndarray]:
    """Pairs of different `texts` that nearly equal one another: rows `[pairs, 2]`, the lower first, in parts.

    Memory is 8 bytes for each band and text, and a bounded part beside it.

    Args:
        texts, clusters: as of `near_repeats.near_pairs`; pairs within a cluster are left out.
        bands: by default those that find a pair at the threshold with a probability of `RECALL`.
        seed: of the hash functions.
    """
    bands = bands or Bands.finding(jaccard)
    long = np.array([row for row, text in enumerate(texts) if len(text) >= LETTERS], dtype=np.int64)
    keys = _keys([texts[row] for row in long], bands, seed)
    for band in range(bands.count):
        order = np.argsort(keys[band], kind="stable")
        ordered = keys[band][order]
        for near, far in _bucketed(ordered):
            pairs = np.sort(long[np.stack([order[near], order[far]], axis=1)], axis=1)
            pairs = pairs[clusters[pairs[:, 0]] != clusters[pairs[:, 1]]]
            similar = [alike(texts[row], texts[other], jaccard) for row, other in pairs.tolist()]
            yield pairs[np.array(similar, dtype=bool)]


def _bucketed(ordered: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The places of pairs of equal values, in parts: the k-th next neighbours of every place for k = 1, 2, ..."""
    places = np.arange(len(ordered))
    for distance in range(1, min(_NEIGHBOURS, len(ordered) - 1) + 1):
        # Values are ascending, so a place that is unlike its neighbour is unlike those behind it, too.
        places = places[places < len(ordered) - distance]
        places = places[ordered[places] == ordered[places + distance]]
        if not len(places):
            return
        for start in range(0, len(places), _PAIRS):
            part = places[start : start + _PAIRS]
            yield part, part + distance


def _keys(texts: Sequence[str], bands: Bands, seed: int) -> np.ndarray:
    """The value of each band of each text's signature, uint64 `[bands, n]`."""
    generator = np.random.default_rng(seed)
    shape = (bands.count, bands.rows)
    # Multiply-shift hashing (Dietzfelbinger et al. 1997): the upper half of an odd multiple.
    factors = generator.integers(0, 1 << 63, shape, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = generator.integers(0, 1 << 63, shape, dtype=np.uint64)
    keys = np.zeros((bands.count, len(texts)), dtype=np.uint64)
    letters = np.cumsum([len(text) for text in texts])
    start = 0
    while start < len(texts):
        done = letters[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(letters, done + _BLOCK_LETTERS, side="right")))
        row, grams = hashed_grams(texts[start:end])
        first = np.searchsorted(row, np.arange(end - start))
        for band, (some_factors, some_offsets) in enumerate(zip(factors, offsets, strict=True)):
            key = np.zeros(end - start, dtype=np.uint64)
            for factor, offset in zip(some_factors, some_offsets, strict=True):
                least = np.minimum.reduceat((grams * factor + offset) >> np.uint64(32), first)
                key = (key + least) * factors[0, 0]
            keys[band, start:end] = key
        start = end
    return keys
