"""Texts that nearly equal another text: the set similarity join of Bayardo et al. 2007 and Xiao et al. 2008 (PPJoin).

Exact, not sampled as in MinHash: if the Jaccard similarity of two sets reaches the threshold, their rarest elements
must have one in common, so only texts with a rare element in common are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TypeVar

import numpy as np

from leanformer.data.grams import LETTERS, ROUNDING, GramSets, counted, hashed_grams, ranked_sets
from leanformer.data.overlap import SEPARATOR

_Value = TypeVar("_Value")
JACCARD = 0.8
# Limits on memory: letters of either side, pairs that share a gram, and their grams, compared at a time.
_BLOCK_LETTERS = 4_000_000
_BLOCK_PAIRS = 1_000_000
_BLOCK_GRAMS = 8_000_000
# Texts from one template share grams with all others from it. For a text with more than `_MANY_SHARES`
# of them, `_FEW_SHARES` per gram are compared first, then more: most are soon found to be near another text.
_MANY_SHARES, _FEW_SHARES = 1000, 4


def near_repeats(texts: Sequence[str], others: Sequence[str], jaccard: float = JACCARD) -> np.ndarray:
    """Whether each of `texts` nearly equals one of `others`, booleans `[n]`: Jaccard similarity of character 5-grams.

    Texts are compared as given (see `overlap.normalise_all`). A text of fewer than five characters has to be equal. Of
    inputs with several texts of unequal lengths, such as a question with its context, each text has to be similar: a
    long one does not outweigh the others.
    `jaccard` is the minimum similarity, above 0.
    """
    return np.asarray(near_partners(texts, others, jaccard) >= 0)


def near_partners(texts: Sequence[str], others: Sequence[str], jaccard: float = JACCARD) -> np.ndarray:
    """For each of `texts`, the row of one of `others` that it nearly equals, int64 `[n]`; -1 if there is none.

    It is the first that is equal, if there is one; otherwise any. Texts are compared as by `near_repeats`.
    """
    there: dict[str, int] = {}
    for number, text in enumerate(others):
        there.setdefault(text, number)
    found = np.array([there.get(text, -1) for text in texts], dtype=np.int64)
    long = sorted(text for text in there if len(text) >= LETTERS)
    left = [row for row, text in enumerate(texts) if found[row] < 0 and len(text) >= LETTERS]
    for rows in _blocks(left, [len(texts[row]) for row in left]):
        row, hashes = hashed_grams([texts[row] for row in rows])
        for block in _blocks(long, [len(text) for text in long]):
            ours = [texts[row] for row in rows]
            partners = _partners(_join(row, hashes, ours, block, jaccard))
            for near in np.flatnonzero(partners >= 0):
                found[rows[near]] = there[block[partners[near]]]
    return found


def near_pairs(
    texts: Sequence[str], jaccard: float = JACCARD, clusters: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """The pairs of different `texts` that nearly equal one another: rows `[pairs, 2]`, the lower first, in parts.

    Each pair is given once. Texts are compared as by `near_repeats`.

    Args:
        clusters: the number of the cluster of each text, `[n]`. Pairs within a cluster are left out. The caller has to
            merge the clusters of the pairs of each part, in this array, before it asks for the next part. So many texts
            from one template are grouped without comparing each with all others.
    """
    long = [row for row, text in enumerate(texts) if len(text) >= LETTERS]
    blocks = [np.array(block) for block in _blocks(long, [len(texts[row]) for row in long])]
    for number, rows in enumerate(blocks):
        row, hashes = hashed_grams([texts[row] for row in rows])
        for others in blocks[number:]:
            ours, theirs = ([texts[row] for row in numbers] for numbers in (rows, others))
            join = _join(row, hashes, ours, theirs, jaccard)
            for parts in _pairs(join, rows, others, clusters):
                yield np.sort(np.stack(parts, axis=1), axis=1)


def _blocks(values: Sequence[_Value], letters: Sequence[int]) -> list[list[_Value]]:
    """Split the values into parts of about `_BLOCK_LETTERS` letters."""
    if not values:
        return []
    ends = np.cumsum(letters) // _BLOCK_LETTERS
    cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1), len(values)]
    return [list(values[begin:end]) for begin, end in pairwise(cuts)]


@dataclass(frozen=True)
class _Join:
    """Two sides whose sets are compared.

    Attributes:
        ours, theirs: the sets of each side. grams: the number of distinct grams of the first.
        members: the members of `theirs` as row * grams + gram, ascending.
        rare: the rare members of `ours`. there: those of `theirs`, by gram.
        first, shares: for each of `rare`, where the members of `there` with the same gram begin, and their number.
        texts: of both sides.
    """

    ours: GramSets
    theirs: GramSets
    grams: int
    jaccard: float
    members: np.ndarray
    rare: np.ndarray
    there: np.ndarray
    first: np.ndarray
    shares: np.ndarray
    texts: tuple[Sequence[str], Sequence[str]]

    def similar(
        self, at: np.ndarray, shares: np.ndarray, wanted: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Compare the sets of these of `rare` with up to the given number of sets that share it, if they are `wanted`.

        Yields the rows of similar sets, of `ours` and of `theirs`.
        """
        # Cut at text boundaries, so that a pair's first shared gram is seen before the others, and each pair once.
        ends = np.flatnonzero(np.diff(self.ours.row[self.rare[at]], append=-1)) + 1
        begin = 0
        while begin < len(at):
            enough = int(np.searchsorted(np.cumsum(shares[begin:]), _BLOCK_PAIRS))
            end = int(ends[np.searchsorted(ends, begin + max(1, enough))]) if begin + enough < len(at) else len(at)
            mine = np.repeat(at[begin:end], shares[begin:end])
            other = self.there[self.first[mine] + counted(shares[begin:end])]
            mine, begin = self.rare[mine], end
            if wanted is not None:
                chosen = wanted(self.ours.row[mine], self.theirs.row[other])
                mine, other = mine[chosen], other[chosen]
            if len(mine):
                row, there = _similar(self.ours, self.theirs, mine, other, self.members, self.grams, self.jaccard)
                if self.several:
                    pairs = zip(row.tolist(), there.tolist(), strict=True)
                    alike = [
                        _all_alike(self.texts[0][first], self.texts[1][second], self.jaccard) for first, second in pairs
                    ]
                    row, there = row[np.array(alike, dtype=bool)], there[np.array(alike, dtype=bool)]
                yield row, there

    @cached_property
    def several(self) -> bool:
        """Whether inputs have several texts."""
        return any(SEPARATOR in text for text in self.texts[0])


def alike(text: str, other: str, jaccard: float) -> bool:
    """Whether two texts nearly equal one another, as by `near_repeats`, found by comparing their grams."""
    if _similarity(_grams(text), _grams(other)) < jaccard - ROUNDING:
        return False
    return SEPARATOR not in text or _all_alike(text, other, jaccard)


def _all_alike(text: str, other: str, jaccard: float) -> bool:
    """Whether each text of an input is similar to that of another, whose joined texts are."""
    parts, others = text.split(SEPARATOR), other.split(SEPARATOR)
    # Where none is so short that the others alone can make the whole similar, the whole tells enough.
    if min(map(len, (*parts, *others))) > (1 - jaccard) * max(len(text), len(other)):
        return True
    return len(parts) == len(others) and all(
        part == its or _similarity(_grams(part), _grams(its)) >= jaccard - ROUNDING
        for part, its in zip(parts, others, strict=True)
    )


def _similarity(grams: frozenset[str], others: frozenset[str]) -> float:
    return len(grams & others) / max(1, len(grams | others))


@lru_cache(maxsize=4096)
def _grams(text: str) -> frozenset[str]:
    return frozenset(text[start : start + LETTERS] for start in range(len(text) - LETTERS + 1))


def _join(row: np.ndarray, hashes: np.ndarray, texts: Sequence[str], others: Sequence[str], jaccard: float) -> _Join:
    """The sets of `texts`, whose grams are given, and those of `others`."""
    ours, theirs, grams = ranked_sets(row, hashes, len(texts), others)
    rare, there = ours.rare(jaccard), theirs.rare(jaccard)
    there = there[np.argsort(theirs.gram[there], kind="stable")]
    first = np.searchsorted(theirs.gram[there], ours.gram[rare], "left")
    shares = np.searchsorted(theirs.gram[there], ours.gram[rare], "right") - first
    members = theirs.row * grams + theirs.gram
    return _Join(ours, theirs, grams, jaccard, members, rare, there, first, shares, (texts, others))


def _partners(join: _Join) -> np.ndarray:
    """For each set of the first side, a similar one of the second, or -1."""
    count, shares = len(join.ours.size), join.shares
    found = np.full(count, -1)

    def look(at: np.ndarray, shares: np.ndarray) -> None:
        for row, there in join.similar(at, shares):
            found[row] = there

    row_of = join.ours.row[join.rare]
    left, most = np.arange(len(join.rare)), int(shares.max(initial=0))
    few = _FEW_SHARES
    while few < most:
        many = left[np.bincount(row_of[left], shares[left], minlength=count)[row_of[left]] > _MANY_SHARES]
        look(many, np.minimum(shares[many], few))
        left, few = left[found[row_of[left]] < 0], 8 * few
    look(left, shares[left])
    return found


def _pairs(
    join: _Join, rows: np.ndarray, others: np.ndarray, clusters: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs of similar sets, whose rows are `rows` and `others`; see `near_pairs`."""
    every = np.arange(len(join.rare))
    if clusters is None:
        for row, there in join.similar(every, join.shares, lambda row, there: rows[row] < others[there]):
            yield rows[row], others[there]
        return
    of_row, of_there = rows[join.ours.row[join.rare]], others[join.theirs.row[join.there]]
    starts = np.flatnonzero(np.diff(join.theirs.gram[join.there], prepend=-1))
    few, most = _FEW_SHARES, int(join.shares.max(initial=0))
    while len(starts):
        # A gram that only texts of one cluster have joins no two clusters.
        low = np.minimum.reduceat(clusters[of_there], starts)
        high = np.maximum.reduceat(clusters[of_there], starts)
        gram = np.minimum(np.searchsorted(starts, join.first), len(starts) - 1)
        at = every[(low[gram] != clusters[of_row]) | (high[gram] != clusters[of_row])]
        for row, there in join.similar(
            at, np.minimum(join.shares[at], few), lambda row, there: clusters[rows[row]] != clusters[others[there]]
        ):
            yield rows[row], others[there]
        if few >= most:
            return
        few *= 8


def _similar(
    ours: GramSets,
    theirs: GramSets,
    mine: np.ndarray,
    other: np.ndarray,
    members: np.ndarray,
    grams: int,
    jaccard: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of similar sets of both sides, each pair once; `mine` and `other` are members that they share."""
    row, there = ours.row[mine], theirs.row[other]
    _, one_each = np.unique(row * len(theirs.size) + there, return_index=True)
    row, there, mine, other = row[one_each], there[one_each], mine[one_each], other[one_each]
    size, size_there = ours.size[row], theirs.size[there]
    needed = np.ceil(jaccard / (1 + jaccard) * (size + size_there) - ROUNDING)
    # Grams before the first shared one are not shared, so at most the shorter rest can be.
    possible = np.minimum(size - ours.position[mine], size_there - theirs.position[other])
    row, there, needed = (part[possible >= needed] for part in (row, there, needed))
    cuts = np.flatnonzero(np.diff(np.cumsum(ours.size[row]) // _BLOCK_GRAMS)) + 1
    shared = [
        _shared(ours, *pairs, members, grams) for pairs in zip(np.split(row, cuts), np.split(there, cuts), strict=True)
    ]
    near = np.concatenate(shared) >= needed
    return row[near], there[near]


def _shared(ours: GramSets, row: np.ndarray, there: np.ndarray, members: np.ndarray, grams: int) -> np.ndarray:
    """How many grams the sets `row` of `ours` share with the sets `there`, whose members are `members`, `[pairs]`."""
    if not len(members):
        return np.zeros(len(row))
    lengths = ours.size[row]
    pair = np.repeat(np.arange(len(row)), lengths)
    member = np.repeat(ours.start[row], lengths) + counted(lengths)
    wanted = there[pair] * grams + ours.gram[member]
    place = np.minimum(np.searchsorted(members, wanted), len(members) - 1)
    return np.bincount(pair[members[place] == wanted], minlength=len(row))
