"""Tables of embeddings that several models of a process have in common are kept once.

Members of a family, and classifiers on one encoder, have the same words, positions and token types: of a small model,
most of its bytes. They are compared by content, so it does not matter which files they come from.
"""

from __future__ import annotations

from hashlib import sha256
from threading import Lock
from typing import TypeAlias
from weakref import WeakValueDictionary

import numpy as np

# Less is not worth a hash.
_SMALLEST_BYTES = 1 << 12
_Key: TypeAlias = tuple[str, tuple[int, ...], bytes]
_kept: WeakValueDictionary[_Key, np.ndarray] = WeakValueDictionary()
_lock = Lock()


def kept_once(array: np.ndarray) -> np.ndarray:
    """The same values, in aligned memory that all models use which asked for them; it is freed with the last one.

    The array itself, if no model has these values yet, and if it owns aligned memory. A view would keep the whole file
    in memory, and may be unaligned: C++ must not read floats there.
    """
    if array.nbytes < _SMALLEST_BYTES:
        return _apart(array)
    key = (array.dtype.str, array.shape, sha256(np.ascontiguousarray(array).data).digest())
    with _lock:
        if (known := _kept.get(key)) is None:
            _kept[key] = known = _apart(array)
        return known


def _apart(array: np.ndarray) -> np.ndarray:
    return array.copy() if array.base is not None or not array.flags.aligned else array
