"""Arrays of unequal lengths, one a sentence, as a NumPy array of arrays: `values[rows]` draws sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ragged(parts: Sequence[np.ndarray]) -> np.ndarray:
    """An array `[n]` whose entries are the given arrays, also where these are all of one shape."""
    result = np.empty(len(parts), dtype=object)
    for index, part in enumerate(parts):
        result[index] = part
    return result


def is_ragged(values: np.ndarray) -> bool:
    return values.dtype == object


def flat(values: np.ndarray) -> np.ndarray:
    """The entries of a ragged array end to end; any other array as it is."""
    if not is_ragged(values):
        return values
    return np.concatenate(list(values)) if len(values) else np.zeros(0)


def parted(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The entries of an array in runs of so many, as a ragged array `[len(counts)]`."""
    return ragged(np.split(values, np.cumsum(counts)[:-1])) if len(counts) else ragged([])


def squared(values: np.ndarray, fill: float) -> np.ndarray:
    """A ragged array of runs `[k]` as `[n, largest k]`, filled up behind each run."""
    table = np.full((len(values), max(map(len, values), default=0)), fill)
    for index, run in enumerate(values):
        table[index, : len(run)] = run
    return table
