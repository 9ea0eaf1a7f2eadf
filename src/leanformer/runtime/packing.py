"""Rows of token ids to packs: sequences end to end, each token knowing its place and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pack:
    """R sequences in T tokens.

    Attributes:
        ids: token ids, int64 `[1, T]`.
        positions: place of each token in its sequence, from 0, int64 `[1, T]`.
        segments: number of each token's sequence, int64 `[1, T]`; -1 where a token only fills up.
        first: where each sequence begins, int64 `[R]`.
    """

    ids: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    first: np.ndarray


def pack(rows: Sequence[np.ndarray], *, tokens: int | None = None, sequences: int | None = None) -> Pack:
    """Lay `rows` end to end.

    Args:
        rows: token ids of each sequence, none of them empty.
        tokens: fill up to so many tokens, with a segment of their own.
        sequences: fill `first` up to so many entries, with the first sequence again.

    Raises `ValueError` when the rows do not fit or there is none.
    """
    lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
    total = int(lengths.sum())
    room, places = tokens or total, sequences or len(rows)
    if not len(rows) or not lengths.all() or total > room or len(rows) > places:
        raise ValueError(f"cannot lay {len(rows)} rows of {total} tokens into {places} of {room}")
    starts = np.cumsum(lengths) - lengths
    ids, positions = np.zeros((1, room), np.int64), np.zeros((1, room), np.int64)
    segments = np.full((1, room), -1, np.int64)
    np.concatenate(rows, out=ids[0, :total], casting="same_kind")
    segments[0, :total] = np.repeat(np.arange(len(rows)), lengths)
    positions[0, :total] = np.arange(total) - np.repeat(starts, lengths)
    first = np.zeros(places, np.int64)
    first[: len(rows)] = starts
    return Pack(ids, positions, segments, first)


def best_fit(lengths: Sequence[int], budget: int, *, sequences: int | None = None) -> list[list[int]]:
    """Row numbers in packs of at most `budget` tokens and `sequences` rows, by best fit in falling order of length.

    Each row goes into the fullest pack that still has room for it (Johnson 1973). A row longer than the budget has a
    pack for itself. The order depends on lengths and places alone. Linear in the number of rows, apart from sorting.
    """
    packs: list[list[int]] = []
    open_by_room: list[list[int]] = [[] for _ in range(budget + 1)]
    rooms = 0  # bit r is set when a pack has room for exactly r more tokens
    most = sequences or len(lengths)
    for row in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[row]
        fitting = rooms >> length
        if length <= budget and fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            number = open_by_room[room].pop()
            if not open_by_room[room]:
                rooms ^= 1 << room
            packs[number].append(row)
        else:
            room, number = budget, len(packs)
            packs.append([row])
        left = room - length
        if left > 0 and len(packs[number]) < most:
            open_by_room[left].append(number)
            rooms |= 1 << left
    return packs
