"""Texts as sparse vectors: TF-IDF-weighted n-grams of a vocabulary, and for pairs the overlap of the two texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.linear.ngrams import KINDS, WORDS, Grams, ngrams
from leanformer.predictor import chunked
from leanformer.task import Text

BIAS = 0  # the first column, which every text has
# Per kind of n-gram: share of common ones in the union, in the first and in the second text, and the cosine.
_OVERLAP = 4
OVERLAP_COLUMNS = len(KINDS) * _OVERLAP + 1  # plus the ratio of their lengths
# Number of texts processed together: enough for numpy, and few enough for the caches.
_TOGETHER = 256
# Number of characters whose n-grams are counted at a time; each character takes some hundred bytes.
_LETTERS = 1_000_000


@dataclass(frozen=True)
class Vocabulary:
    """N-grams of one kind in the training texts: their hashes `[size]`, ascending, uint64, and their IDF, float32."""

    hashes: np.ndarray
    idf: np.ndarray

    @property
    def size(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix by rows: row (ascending), column (ascending within a row) and value of each entry."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Features:
    """How a text, or a pair, becomes a vector.

    Attributes:
        vocabularies: kind of n-gram -> its vocabulary; each kind's part of a vector has length 1. For a pair, each text
            has separate columns, and further columns give their overlap.
        pairs: whether inputs are pairs.
        shown: the kinds whose n-grams have columns.
    """

    vocabularies: Mapping[str, Vocabulary]
    pairs: bool
    shown: tuple[str, ...] = KINDS

    @property
    def width(self) -> int:
        """The number of columns."""
        size = sum(self.vocabularies[kind].size for kind in self.shown)
        return 1 + (OVERLAP_COLUMNS + 2 * size if self.pairs else size)

    def restricted(self, kinds: Sequence[str]) -> Features:
        """The same with n-gram columns of these kinds alone; the overlap of a pair still covers all kinds."""
        return Features(self.vocabularies, self.pairs, tuple(kinds))

    def columns(self, kinds: Sequence[str]) -> np.ndarray:
        """Indices of the columns that `restricted(kinds)` has, ascending."""
        sizes = [(self.vocabularies[kind].size, kind in kinds) for kind in self.shown]
        kept = np.concatenate([np.full(size, keep) for size, keep in sizes])
        first = np.ones(1 + OVERLAP_COLUMNS if self.pairs else 1, dtype=bool)
        return np.flatnonzero(np.concatenate([first, kept, kept] if self.pairs else [first, kept]))

    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """The columns and values of each text or pair, `[entries, 2]`, float64; columns ascend."""
        return [
            row for start in range(0, len(texts), _TOGETHER) for row in self._encoded(texts[start : start + _TOGETHER])
        ]

    def _encoded(self, texts: Sequence[Text]) -> list[np.ndarray]:
        if not self.pairs:
            grams = ngrams([str(text) for text in texts])
            parts = [self._weighted(kind, grams[kind], len(texts)) for kind in self.shown]
            return _joined([_bias(len(texts)), *_side_by_side(parts, self._sizes(), 1)], len(texts))
        firsts, seconds = ([str(pair[side]) for pair in texts] for side in (0, 1))
        # Both sides in one pass: the second texts follow the first ones.
        grams = ngrams([*firsts, *seconds])
        sides = {kind: self._weighted(kind, grams[kind], 2 * len(texts)) for kind in self.vocabularies}
        overlap = _overlap(grams, sides, len(texts))
        start, parts = 1 + OVERLAP_COLUMNS, [_bias(len(texts)), overlap]
        for side in (0, 1):
            own = [_rows_between(sides[kind], side * len(texts), (side + 1) * len(texts)) for kind in self.shown]
            parts += _side_by_side(own, self._sizes(), start + side * sum(self._sizes()))
        return _joined(parts, len(texts))

    def _sizes(self) -> list[int]:
        return [self.vocabularies[kind].size for kind in self.shown]

    def _weighted(self, kind: str, grams: Grams, texts: int) -> Sparse:
        """(1 + ln count) times IDF of the n-grams in the vocabulary; each row has length 1."""
        vocabulary = self.vocabularies[kind]
        if not vocabulary.size:
            return Sparse(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        place = np.minimum(np.searchsorted(vocabulary.hashes, grams.hashes), vocabulary.size - 1)
        known = vocabulary.hashes[place] == grams.hashes
        keys, counts = np.unique(grams.owners[known] * vocabulary.size + place[known], return_counts=True)
        rows, columns = np.divmod(keys, vocabulary.size)
        values = (1 + np.log(counts)) * vocabulary.idf[columns]
        lengths = np.sqrt(np.bincount(rows, values**2, minlength=texts))
        return Sparse(rows, columns, values / lengths[rows])


def learn_features(texts: Sequence[Text], pairs: bool, *, least: int, most: int | None = None) -> Features:
    """Vocabularies of both kinds: the n-grams that occur in at least `least` of the training texts.

    If there are more than `most`, those that occur in the most texts; never more, and fewer if several are equally
    frequent.

    The IDF of an n-gram is ln((1 + texts) / (1 + texts with it)) + 1.
    """
    flat = [str(side) for text in texts for side in (text if pairs else (text,))]
    counted: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {kind: [] for kind in KINDS}
    mean = sum(map(len, flat)) / max(1, len(flat))
    for chunk in chunked(flat, max(1, int(_LETTERS / (1 + mean)))):
        for kind, grams in ngrams(chunk).items():
            known, places = np.unique(grams.hashes, return_inverse=True)
            each = np.unique(grams.owners * len(known) + places)
            counted[kind].append((known, np.bincount(each % max(1, len(known)), minlength=len(known))))
    merged = {}
    for kind, parts in counted.items():
        hashes, places = np.unique(np.concatenate([known for known, _ in parts]), return_inverse=True)
        merged[kind] = hashes, np.bincount(places, np.concatenate([count for _, count in parts]), minlength=len(hashes))
    least = _bounded(np.concatenate([counts for _, counts in merged.values()]), least, most)
    vocabularies = {}
    for kind, (hashes, counts) in merged.items():
        often = counts >= least
        idf = np.log((1 + len(flat)) / (1 + counts[often])) + 1
        vocabularies[kind] = Vocabulary(hashes[often], idf.astype(np.float32))
    return Features(vocabularies, pairs)


def _bounded(counts: np.ndarray, least: int, most: int | None) -> int:
    """The smallest count, `least` or more, that at most `most` of the counts reach."""
    if most is None or np.count_nonzero(counts >= least) <= most:
        return least
    last = int(np.partition(counts, len(counts) - most)[len(counts) - most])
    return last if np.count_nonzero(counts >= last) <= most else last + 1


def _bias(texts: int) -> Sparse:
    return Sparse(np.arange(texts), np.full(texts, BIAS), np.ones(texts))


def _side_by_side(parts: Sequence[Sparse], sizes: Sequence[int], start: int) -> list[Sparse]:
    """The parts with their columns placed one after the other, beginning at column `start`."""
    starts = start + np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return [
        Sparse(part.rows, part.columns + offset, part.values)
        for part, offset in zip(parts, starts[:-1], strict=True)
    ]  # fmt: skip


def _rows_between(part: Sparse, first: int, last: int) -> Sparse:
    low, high = np.searchsorted(part.rows, [first, last])
    return Sparse(part.rows[low:high] - first, part.columns[low:high], part.values[low:high])


def _joined(parts: Sequence[Sparse], texts: int) -> list[np.ndarray]:
    """Rows `[entries, 2]`, each with the entries of all parts, whose columns ascend."""
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    entries = np.empty((len(rows), 2))
    entries[:, 0] = np.concatenate([part.columns for part in parts])[order]
    entries[:, 1] = np.concatenate([part.values for part in parts])[order]
    return np.split(entries, np.searchsorted(rows[order], np.arange(1, texts)))


def _overlap(grams: Mapping[str, Grams], sides: Mapping[str, Sparse], pairs: int) -> Sparse:
    """The overlap of the two texts of each pair, in `OVERLAP_COLUMNS` columns from 1 on."""
    values = np.zeros((pairs, OVERLAP_COLUMNS))
    for number, (kind, weighted) in enumerate(sides.items()):
        # Number of distinct n-grams in both texts, in the first and in the second, in the vocabulary or not.
        hashed, where = np.unique(grams[kind].hashes, return_inverse=True)
        owners, places = np.divmod(np.unique(grams[kind].owners * len(hashed) + where), max(1, len(hashed)))
        own = np.bincount(owners, minlength=2 * pairs)
        first, second = own[:pairs], own[pairs:]
        shared, counts = np.unique(owners % pairs * len(hashed) + places, return_counts=True)
        both = np.bincount(shared[counts == 2] // max(1, len(hashed)), minlength=pairs)
        ratios = (both / np.maximum(total, 1) for total in (first + second - both, first, second))
        start = number * _OVERLAP
        for place, ratio in enumerate(ratios):
            values[:, start + place] = ratio
        values[:, start + _OVERLAP - 1] = _cosines(weighted, pairs)
        if kind == WORDS:
            longest = np.maximum(np.maximum(first, second), 1)
            values[:, -1] = np.minimum(first, second) / longest
    rows, columns = np.divmod(np.arange(values.size), OVERLAP_COLUMNS)
    return Sparse(rows, columns + 1, values.ravel())


def _cosines(sides: Sparse, pairs: int) -> np.ndarray:
    """Dot products of each first row with its second one; both have length 1."""
    halves = [_rows_between(sides, 0, pairs), _rows_between(sides, pairs, 2 * pairs)]
    width = max((int(half.columns.max(initial=0)) for half in halves), default=0) + 1
    first, second = (half.rows * width + half.columns for half in halves)
    shared, left, right = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    products = halves[0].values[left] * halves[1].values[right]
    return np.bincount(shared // width, products, minlength=pairs)
