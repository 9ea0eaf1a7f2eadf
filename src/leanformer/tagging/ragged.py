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
