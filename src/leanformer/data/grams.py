"""Texts as sets of character n-grams, numbered from the rarest: what a set similarity join compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LETTERS = 5
# A gram is hashed by multiplication with an odd number. The upper bits of the 64 are kept, together with the row: a
# block has fewer than 2 ** 20 texts of five letters.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ROW_BITS = np.uint64(20)
_HASH_BITS = np.uint64(44)
# In binary, 0.56 * 25 is slightly more than 14: without this, a pair exactly at the threshold is lost.
ROUNDING = 1e-9


@dataclass(frozen=True)
class GramSets:
    """Sets of grams, numbered by rarity from the rarest: the members of each set in that order, set after set.

    Attributes:
        row, gram: of each member, `[members]`. position: its rank within its set, from 0.
        size, start: of each set, `[sets]`.
    """

    row: np.ndarray
    gram: np.ndarray
    position: np.ndarray
    size: np.ndarray
    start: np.ndarray

    def rare(self, jaccard: float) -> np.ndarray:
        """The members of each set one of which must be shared with every set that is similar enough."""
        needed = np.ceil(jaccard * self.size - ROUNDING).astype(np.int64)
        return np.flatnonzero(self.position < (self.size - needed + 1)[self.row])


def ranked_sets(
    row: np.ndarray, hashes: np.ndarray, count: int, others: Sequence[str]
) -> tuple[GramSets, GramSets, int]:
    """The sets of both sides, and the number of distinct grams of the first side.

    Grams of `others` that the first side lacks are not members: they only count for the size, as the rarest.
    """
    known = _different(hashes)
    row_there, hashes_there = hashed_grams(others)
    place = np.minimum(np.searchsorted(known, hashes_there), len(known) - 1)
    shared = known[place] == hashes_there
    row_shared, size_there = row_there[shared], np.bincount(row_there, minlength=len(others))
    rarity = np.empty(len(known), dtype=np.int64)
    rarity[np.argsort(np.bincount(place[shared], minlength=len(known)), kind="stable")] = np.arange(len(known))
    ours = _ordered(row, rarity[np.searchsorted(known, hashes)], len(known), np.bincount(row, minlength=count))
    return ours, _ordered(row_shared, rarity[place[shared]], len(known), size_there), len(known)


def _ordered(row: np.ndarray, gram: np.ndarray, grams: int, size: np.ndarray) -> GramSets:
    row, gram = np.divmod(np.sort(row * grams + gram), grams)
    here = np.bincount(row, minlength=len(size))
    start = np.cumsum(here) - here
    return GramSets(row, gram, np.arange(len(row)) - start[row] + (size - here)[row], size, start)


def hashed_grams(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The row of each distinct character 5-gram of a text, and a hash of the gram."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    row = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in texts])
    count = len(codes) - LETTERS + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for i in range(LETTERS):
        hashes = (hashes + codes[i : i + count]) * _FACTOR
    inside = row[:count] == row[LETTERS - 1 :]
    members = _different((row[:count][inside] << _HASH_BITS) | (hashes[inside] >> _ROW_BITS))
    return (members >> _HASH_BITS).astype(np.int64), members & np.uint64((1 << 44) - 1)


def _different(values: np.ndarray) -> np.ndarray:
    """The distinct values, ascending; `np.unique` uses a hash table, which takes ten times as long."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def counted(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... for each of the lengths, concatenated."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) - np.repeat(starts, lengths))
