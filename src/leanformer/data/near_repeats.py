"""Texts that nearly equal another text: the set similarity join of Bayardo et al. 2007 and Xiao et al. 2008 (PPJoin).

Exact, not sampled as in MinHash: if the Jaccard similarity of two sets reaches the threshold, their rarest elements
must have one in common, so only texts with a rare element in common are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

_Value = TypeVar("_Value")
LETTERS = 5
JACCARD = 0.8
# Limits on memory: letters of either side, pairs that share a gram, and their grams, compared at a time.
_BLOCK_LETTERS = 4_000_000
_BLOCK_PAIRS = 1_000_000
_BLOCK_GRAMS = 8_000_000
# Texts from one template share grams with all others from it. For a text with more than `_MANY_SHARES`
# of them, `_FEW_SHARES` per gram are compared first, then more: most are soon found to be near another text.
_MANY_SHARES, _FEW_SHARES = 1000, 4
# A gram is hashed by multiplication with an odd number. The upper bits of the 64 are kept, together with the row: a
# block has fewer than 2 ** 20 texts of five letters.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ROW_BITS = np.uint64(20)
_HASH_BITS = np.uint64(44)
# In binary, 0.56 * 25 is slightly more than 14: without this, a pair exactly at the threshold is lost.
_ROUNDING = 1e-9


def near_repeats(texts: Sequence[str], others: Sequence[str], jaccard: float = JACCARD) -> np.ndarray:
    """Whether each of `texts` nearly equals one of `others`, booleans `[n]`: Jaccard similarity of character 5-grams.

    Texts are compared as given (see `overlap.normalise_all`). A text of fewer than five characters has to be equal.
    `jaccard` is the minimum similarity, above 0.
    """
    there = set(others)
    found = np.array([text in there for text in texts], dtype=bool)
    long = sorted(text for text in there if len(text) >= LETTERS)
    left = [row for row, text in enumerate(texts) if not found[row] and len(text) >= LETTERS]
    for rows in _blocks(left, [len(texts[row]) for row in left]):
        row, hashes = _hashed([texts[row] for row in rows])
        for block in _blocks(long, [len(text) for text in long]):
            found[rows] |= _near(row, hashes, len(rows), block, jaccard)
    return found


def _blocks(values: Sequence[_Value], letters: Sequence[int]) -> list[list[_Value]]:
    """Split the values into parts of about `_BLOCK_LETTERS` letters."""
    if not values:
        return []
    ends = np.cumsum(letters) // _BLOCK_LETTERS
    cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1), len(values)]
    return [list(values[begin:end]) for begin, end in pairwise(cuts)]


@dataclass(frozen=True)
class _Sets:
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
        needed = np.ceil(jaccard * self.size - _ROUNDING).astype(np.int64)
        return np.flatnonzero(self.position < (self.size - needed + 1)[self.row])


def _near(row: np.ndarray, hashes: np.ndarray, count: int, others: Sequence[str], jaccard: float) -> np.ndarray:
    """Which of `count` texts, given by their grams, nearly equal one of `others`."""
    ours, theirs, grams = _sets(row, hashes, count, others)
    found = np.zeros(count, dtype=bool)
    rare, there = ours.rare(jaccard), theirs.rare(jaccard)
    there = there[np.argsort(theirs.gram[there], kind="stable")]
    first = np.searchsorted(theirs.gram[there], ours.gram[rare], "left")
    shares = np.searchsorted(theirs.gram[there], ours.gram[rare], "right") - first
    members = theirs.row * grams + theirs.gram  # ascending

    def look(at: np.ndarray, shares: np.ndarray) -> None:
        """Compare each of these rare members with up to the given number of texts that share it."""
        # Cut at text boundaries, so that a pair's first shared gram is seen before the others.
        ends = np.flatnonzero(np.diff(ours.row[rare[at]], append=-1)) + 1
        begin = 0
        while begin < len(at):
            enough = int(np.searchsorted(np.cumsum(shares[begin:]), _BLOCK_PAIRS))
            end = int(ends[np.searchsorted(ends, begin + max(1, enough))]) if begin + enough < len(at) else len(at)
            mine = np.repeat(at[begin:end], shares[begin:end])
            other = there[first[mine] + _counted(shares[begin:end])]
            found[_similar(ours, theirs, rare[mine], other, members, grams, jaccard)] = True
            begin = end

    row_of = ours.row[rare]
    left, most = np.arange(len(rare)), int(shares.max(initial=0))
    few = _FEW_SHARES
    while few < most:
        many = left[np.bincount(row_of[left], shares[left], minlength=count)[row_of[left]] > _MANY_SHARES]
        look(many, np.minimum(shares[many], few))
        left, few = left[~found[row_of[left]]], 8 * few
    look(left, shares[left])
    return found


def _similar(
    ours: _Sets, theirs: _Sets, mine: np.ndarray, other: np.ndarray, members: np.ndarray, grams: int, jaccard: float
) -> np.ndarray:
    """The rows of `ours` that are similar to a set of `theirs`; `mine` and `other` are members that they share."""
    row, there = ours.row[mine], theirs.row[other]
    _, one_each = np.unique(row * len(theirs.size) + there, return_index=True)
    row, there, mine, other = row[one_each], there[one_each], mine[one_each], other[one_each]
    size, size_there = ours.size[row], theirs.size[there]
    needed = np.ceil(jaccard / (1 + jaccard) * (size + size_there) - _ROUNDING)
    # Grams before the first shared one are not shared, so at most the shorter rest can be.
    possible = np.minimum(size - ours.position[mine], size_there - theirs.position[other])
    row, there, needed = (part[possible >= needed] for part in (row, there, needed))
    cuts = np.flatnonzero(np.diff(np.cumsum(ours.size[row]) // _BLOCK_GRAMS)) + 1
    shared = [
        _shared(ours, *pairs, members, grams) for pairs in zip(np.split(row, cuts), np.split(there, cuts), strict=True)
    ]
    return np.asarray(row[np.concatenate(shared) >= needed])


def _shared(ours: _Sets, row: np.ndarray, there: np.ndarray, members: np.ndarray, grams: int) -> np.ndarray:
    """How many grams the sets `row` of `ours` share with the sets `there`, whose members are `members`, `[pairs]`."""
    if not len(members):
        return np.zeros(len(row))
    lengths = ours.size[row]
    pair = np.repeat(np.arange(len(row)), lengths)
    member = np.repeat(ours.start[row], lengths) + _counted(lengths)
    wanted = there[pair] * grams + ours.gram[member]
    place = np.minimum(np.searchsorted(members, wanted), len(members) - 1)
    return np.bincount(pair[members[place] == wanted], minlength=len(row))


def _counted(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... for each of the lengths, concatenated."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) - np.repeat(starts, lengths))


def _sets(row: np.ndarray, hashes: np.ndarray, count: int, others: Sequence[str]) -> tuple[_Sets, _Sets, int]:
    """The sets of both sides, and the number of distinct grams of the first side.

    Grams of `others` that the first side lacks are not members: they only count for the size, as the rarest.
    """
    known = _different(hashes)
    row_there, hashes_there = _hashed(others)
    place = np.minimum(np.searchsorted(known, hashes_there), len(known) - 1)
    shared = known[place] == hashes_there
    row_shared, size_there = row_there[shared], np.bincount(row_there, minlength=len(others))
    rarity = np.empty(len(known), dtype=np.int64)
    rarity[np.argsort(np.bincount(place[shared], minlength=len(known)), kind="stable")] = np.arange(len(known))
    ours = _ordered(row, rarity[np.searchsorted(known, hashes)], len(known), np.bincount(row, minlength=count))
    return ours, _ordered(row_shared, rarity[place[shared]], len(known), size_there), len(known)


def _ordered(row: np.ndarray, gram: np.ndarray, grams: int, size: np.ndarray) -> _Sets:
    row, gram = np.divmod(np.sort(row * grams + gram), grams)
    here = np.bincount(row, minlength=len(size))
    start = np.cumsum(here) - here
    return _Sets(row, gram, np.arange(len(row)) - start[row] + (size - here)[row], size, start)


def _hashed(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
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
