"""Computes sums with the compiled code of `runtime/native/ngrams.cpp`."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from functools import cache

import numpy as np

from leanformer.errors import LeanformerError
from leanformer.runtime.native.build import load_library
from leanformer.runtime.native.levels import GENERIC, VARIABLE, forced_level
from leanformer.tiny.model import COUNT_FACTORS, Group

_POINTER = ctypes.c_void_p


class _Group(ctypes.Structure):
    """As in ngrams.cpp."""

    _fields_ = [
        ("table", _POINTER), ("hashes", _POINTER), ("idf", _POINTER), ("rows", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("words", "least", "most", "wide")),
    ]  # fmt: skip


class NativeSums:
    """Computes what `NgramModel.sums` does with compiled code.

    Args:
        threads: number of threads for calls with several hundred texts.

    Attributes:
        level: the instruction set in use, "avx2" or "generic".

    Raises `MissingCompilerError` if there is no working C++ compiler or no place for the result, `LeanformerError` for
    an instruction set in $LEANFORMER_LEVEL that this CPU does not have.
    """

    def __init__(self, groups: Sequence[Group], threads: int) -> None:
        library = _library()
        self.level, self._threads = _level(library), threads
        self._shape = len(groups), int(groups[0].table.shape[1])
        given = (_Group * len(groups))(*(_described(group) for group in groups))
        self._model = library.leanformer_ngrams_make(
            given, *self._shape, COUNT_FACTORS.ctypes.data, len(COUNT_FACTORS)
        )  # fmt: skip
        if not self._model:
            raise MemoryError("not enough memory for the tables of the model")
        # Read in place, unlike the tables.
        self._kept = [(group.hashes, group.idf) for group in groups]
        self._sums = library.leanformer_ngrams_sums
        weakref.finalize(self, library.leanformer_ngrams_discard, self._model)

    def __call__(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `model.Sums`."""
        groups, width = self._shape
        sums, norms = np.empty((len(rows), groups, width), np.int64), np.empty((len(rows), groups), np.int64)
        if not rows:
            return sums, norms
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=starts[1:])
        codes = np.ascontiguousarray(np.concatenate(rows), np.int32)
        failed = self._sums(
            self._model, codes.ctypes.data, starts.ctypes.data, len(rows), self._threads, int(self.level != GENERIC),
            sums.ctypes.data, norms.ctypes.data,
        )  # fmt: skip
        if failed:
            raise MemoryError(f"not enough memory for {len(rows)} texts")
        return sums, norms


def _described(group: Group) -> _Group:
    arrays = (group.table, group.hashes, group.idf)
    return _Group(
        *(None if array is None else array.ctypes.data for array in arrays), len(group.table),
        int(group.kind == "words"), group.least, group.most, int(group.table.dtype == np.int16),
    )  # fmt: skip


def _level(library: ctypes.CDLL) -> str:
    best = "avx2" if library.leanformer_ngrams_avx2() else GENERIC
    forced = forced_level()
    if forced == GENERIC:
        return GENERIC
    if forced is not None and best == GENERIC:
        raise LeanformerError(
            f"{VARIABLE}={forced}: this CPU cannot run the native engine for {forced!r}\n"
            f"  remedy: {GENERIC}, or unset {VARIABLE}"
        )
    return best


@cache
def _library() -> ctypes.CDLL:
    return load_library(_declared)


def _declared(library: ctypes.CDLL) -> None:
    library.leanformer_ngrams_make.restype = _POINTER
    library.leanformer_ngrams_make.argtypes = [_POINTER, ctypes.c_int, ctypes.c_int, _POINTER, ctypes.c_int]
    library.leanformer_ngrams_discard.argtypes = [_POINTER]
    library.leanformer_ngrams_discard.restype = None
    library.leanformer_ngrams_sums.argtypes = [*[_POINTER] * 3, *[ctypes.c_int] * 3, *[_POINTER] * 2]
    library.leanformer_ngrams_avx2.argtypes = []
