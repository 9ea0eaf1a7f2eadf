"""A model on n-grams whose tables are whole numbers: exact sums, and a small head that turns them into logits.

A text's sums do not depend on the order of adding or on the CPU, so that compiled code (`tiny/native.py`) and numpy
(here) give the same bits. Hashes are the upper 32 bits of those of `linear/ngrams.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from leanformer.linear.ngrams import ngrams_of_lengths

# An IDF is kept in steps of 1 / 256, and 1 + ln(count) in steps of 1 / 64; their product in steps of 1 / 64.
IDF_STEPS, MOST_IDF = 256, 16 * 256
_SHIFT = 8
COUNT_FACTORS = np.rint((1 + np.log(np.arange(1, 64))) * 64).astype(np.int32)
"""Of an n-gram that occurs once, twice, ... in a text; the last one also stands for higher counts."""
# Rows of sums that numpy holds at a time.
_TOGETHER = 512


@dataclass(frozen=True, eq=False)
class Group:
    """N-grams of one kind with a shared table.

    Attributes:
        kind: "words" or "characters". least, most: numbers of words or characters in an n-gram.
        table: int8 or int16 `[rows, width]`.
        hashes: of the vocabulary `[rows]`, uint32, ascending: each n-gram in it has a row of its own, and counts with
            (1 + ln count) times its `idf` (uint16 `[rows]`, in steps of 1 / `IDF_STEPS`). None: an n-gram's row is its
            hash modulo the number of rows, and each occurrence counts 1 (Weinberger et al. 2009).
    """

    kind: str
    least: int
    most: int
    table: np.ndarray
    hashes: np.ndarray | None = None
    idf: np.ndarray | None = None


class Head(Protocol):
    """What turns sums into logits."""

    def logits(self, sums: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """Logits `[texts, outputs]`, float32, from `sums` `[texts, groups, width]` and `norms` `[texts, groups]`."""
        ...


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Each group's sum over the length of its vector, times the step of each output, plus a bias.

    Attributes:
        scales, bias: `[outputs]`, float32.
    """

    scales: np.ndarray
    bias: np.ndarray

    def logits(self, sums: np.ndarray, norms: np.ndarray) -> np.ndarray:
        lengths = np.sqrt(np.maximum(norms, 1).astype(np.float64))
        total = np.zeros((len(sums), sums.shape[2]))
        for group in range(sums.shape[1]):  # in this order, so that the last bits are the same everywhere
            total += sums[:, group] / lengths[:, group, None]
        return np.asarray(total * self.scales + self.bias, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class NetworkHead:
    """The groups' sums, each over the root of its number of n-grams, through one layer of rectified units.

    After Botha et al. 2017 (arXiv 1708.00214), where sums are weighed by relative frequency.

    Attributes:
        scales: the step of each group's table `[groups]`.
        hidden: `[groups * width, units]`, hidden_bias: `[units]`, output: `[units, outputs]`, output_bias: `[outputs]`,
            all float32.
    """

    scales: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    def logits(self, sums: np.ndarray, norms: np.ndarray) -> np.ndarray:
        lengths = np.sqrt(np.maximum(norms, 1).astype(np.float64))
        inputs = (sums * (self.scales / lengths)[:, :, None]).reshape(len(sums), -1)
        # In float64, so that a row's float32 logits do not depend on the rows beside it.
        units = np.maximum(inputs @ self.hidden.astype(np.float64) + self.hidden_bias, 0)
        return np.asarray(units @ self.output.astype(np.float64) + self.output_bias, dtype=np.float32)


Sums = Callable[[Sequence[np.ndarray]], tuple[np.ndarray, np.ndarray]]
"""From rows of code points to sums `[texts, groups, width]` and norms `[texts, groups]`, both int64.

A norm is the squared length of the vector of the group's values; for a hashed group, the number of its n-grams.
"""


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Groups of equal width, and the head."""

    groups: tuple[Group, ...]
    head: Head

    @property
    def width(self) -> int:
        return int(self.groups[0].table.shape[1])

    def logits(self, rows: Sequence[np.ndarray], sums: Sums | None = None) -> np.ndarray:
        """Logits `[rows, outputs]`, float32; `sums` None computes the sums with numpy."""
        parts = [
            self.head.logits(*(sums or self.sums)(rows[start : start + _TOGETHER]))
            for start in range(0, max(1, len(rows)), _TOGETHER)
        ]
        return np.concatenate(parts)

    def sums(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `Sums`."""
        texts = [row.astype("<i4", copy=False).tobytes().decode("utf-32-le", "surrogatepass") for row in rows]
        found = ngrams_of_lengths(
            texts, [(group.kind, range(group.least, group.most + 1)) for group in self.groups]
        )  # fmt: skip
        sums = np.zeros((len(rows), len(self.groups), self.width), dtype=np.int64)
        norms = np.zeros((len(rows), len(self.groups)), dtype=np.int64)
        for number, (group, grams) in enumerate(zip(self.groups, found, strict=True)):
            hashes = (grams.hashes >> np.uint64(32)).astype(np.uint32)
            owners, places, values = _entries(group, hashes, grams.owners)
            ends = np.searchsorted(owners, np.arange(len(rows) + 1))
            for text, (start, stop) in enumerate(pairwise(ends)):
                own = values[start:stop]
                sums[text, number] = own @ group.table[places[start:stop]].astype(np.int64)
                norms[text, number] = len(own) if group.hashes is None else own @ own
        return sums, norms


def _entries(group: Group, hashes: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The text (ascending), row of the table and value of each n-gram that counts."""
    if group.hashes is None or group.idf is None:
        order = np.argsort(owners, kind="stable")
        places = (hashes % np.uint32(len(group.table)))[order].astype(np.int64)
        return owners[order], places, np.ones(len(order), dtype=np.int64)
    places = np.minimum(np.searchsorted(group.hashes, hashes), len(group.hashes) - 1)
    known = group.hashes[places] == hashes
    keys, counts = np.unique(owners[known] * len(group.hashes) + places[known], return_counts=True)
    owners, places = np.divmod(keys, len(group.hashes))
    factors = COUNT_FACTORS[np.minimum(counts, len(COUNT_FACTORS)) - 1].astype(np.int64)
    return owners, places, (group.idf[places].astype(np.int64) * factors) >> _SHIFT
