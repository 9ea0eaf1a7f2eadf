"""Packing rows of token ids: lines of equal length, filled with sequences end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Lines = list[list[int]]
"""Which rows stand in each line, in order, as row numbers."""


@dataclass(frozen=True)
class Pack:
    """R sequences in G lines of L tokens.

    Attributes:
        ids: token ids, int64 `[G, L]`.
        positions: position of each token in its sequence, from 0, int64 `[G, L]`.
        segments: number of each token's sequence, int64 `[G, L]`; -1 for padding.
        first: offset of each sequence's first token, counted through all lines, int64 `[R]`.
        types: token types, int64 `[G, L]`, zero for single texts.
    """

    ids: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    first: np.ndarray
    types: np.ndarray

    def feed(self, *, types: bool, first: bool = True) -> dict[str, np.ndarray]:
        """The inputs of a packed graph, by name; `types` if it takes token types, `first` unless it tags words."""
        names = ("ids", "positions", "segments", *(("first",) if first else ()), *(("types",) if types else ()))
        return {name: getattr(self, name) for name in names}


def pack(rows: Sequence[np.ndarray], lines: Lines, length: int | None = None) -> Pack:
    """Write `rows` into lines of equal length.

    Args:
        rows: token ids `[tokens]` of each sequence, or ids and types `[tokens, 2]` of a pair; none may be empty.
        lines: row numbers of each line; sequences are numbered in this order, also in `first`.
        length: tokens per line; None takes the longest line.

    Raises `ValueError` for an empty row and for a line that is too long.
    """
    lengths = [[len(rows[i]) for i in line] for line in lines]
    longest = max(sum(line) for line in lengths)
    width = length or longest
    if longest > width or not all(all(line) for line in lengths):
        raise ValueError(f"rows of {lengths} tokens do not fit into lines of {width}, or some are empty")
    shape = (len(lines), width)
    ids, positions, segments = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    types = np.zeros(shape, np.int64)
    steps = np.arange(longest)
    first: list[int] = []
    for number, line in enumerate(lines):
        start = 0
        for i in line:
            end = start + len(rows[i])
            if rows[i].ndim == 1:
                ids[number, start:end] = rows[i]
            else:
                ids[number, start:end], types[number, start:end] = rows[i].T
            positions[number, start:end] = steps[: end - start]
            segments[number, start:end] = len(first)
            first.append(number * width + start)
            start = end
    return Pack(ids, positions, segments, np.array(first, np.int64), types)


def unpack(values: np.ndarray, rows: Sequence[np.ndarray], lines: Lines) -> np.ndarray:
    """Remove the padding from a graph's outputs for a pack: `[G, L, outputs]` to `[tokens, outputs]`.

    Sequences are in the order of the lines, each line's end to end.
    """
    return np.concatenate([value[: sum(len(rows[i]) for i in line)] for value, line in zip(values, lines, strict=True)])


def result_rows(lines: Lines, starts: np.ndarray | None = None) -> np.ndarray:
    """Indices, in the whole result, of what an engine returns for these lines, int64.

    With `starts` the whole result has one row per token, those of sequence i from `starts[i]` to `starts[i + 1]`;
    without, one row per sequence.
    """
    if starts is None:
        return np.array([i for line in lines for i in line], np.int64)
    return np.concatenate([np.arange(starts[i], starts[i + 1]) for line in lines for i in line])


def fill_lines(lengths: Sequence[int], budget: int, length: int | None = None) -> list[Lines]:
    """Packs of at most `budget` tokens, padding included; a row longer than that gets its own pack.

    The longest remaining row starts a pack and sets the length of its lines, unless `length` sets it (rows may then not
    be longer). Each line is filled with the longest row that still fits, repeatedly (best fit decreasing, Johnson
    1973), so that rows of similar length share a pack and short ones fill the gaps. Packs come in order of falling
    length. Linear in the number of rows, apart from sorting; the result depends only on lengths and order.
    """
    by_length: dict[int, list[int]] = {}
    present = 0  # bit n is set while a row of n tokens is left
    for row in range(len(lengths) - 1, -1, -1):
        by_length.setdefault(lengths[row], []).append(row)
        present |= 1 << lengths[row]
    packs: list[Lines] = []
    while present:
        width = max(present.bit_length() - 1, length or 0)
        lines: Lines = []
        while present and len(lines) < max(1, budget // width):
            line: list[int] = []
            left = width
            while fitting := present & ((2 << left) - 1):
                size = fitting.bit_length() - 1
                line.append(by_length[size].pop())
                if not by_length[size]:
                    present ^= 1 << size
                left -= size
            lines.append(line)
        packs.append(lines)
    return packs
