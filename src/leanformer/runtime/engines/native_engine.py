"""The native engine behind the engine protocol: texts are concatenated, and nothing is padded."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.errors import ArtifactError, LeanformerError
from leanformer.runtime.native.build import load_library
from leanformer.runtime.native.exits import Leaving
from leanformer.runtime.native.levels import VARIABLE, forced_level, levels
from leanformer.runtime.native.recurrent import is_recurrent, recurrent_weights_of
from leanformer.runtime.native.tables import kept_once
from leanformer.runtime.native.weights import LayerStruct, Weights, weights_of
from leanformer.runtime.onnx_file import read_onnx
from leanformer.runtime.packing import Lines

_POINTER = ctypes.c_void_p
# As in encoder.h.
_DONE, _NO_MEMORY, _OUT_OF_RANGE = range(3)


class _Level(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [
        ("make", ctypes.CFUNCTYPE(_POINTER, _POINTER, ctypes.POINTER(LayerStruct), _POINTER)),
        ("discard", ctypes.CFUNCTYPE(None, _POINTER)),
        ("infer", ctypes.CFUNCTYPE(ctypes.c_int, *[_POINTER] * 4, ctypes.c_int, ctypes.c_int, _POINTER)),
        ("rouse", ctypes.CFUNCTYPE(None, _POINTER, ctypes.c_int)),
        ("infer_leaving", ctypes.CFUNCTYPE(ctypes.c_int, *[_POINTER] * 4, ctypes.c_int, ctypes.c_int, *[_POINTER] * 3)),
    ]


class _Model:
    """A model in C++ with the lifetime of this object."""

    def __init__(self, weights: Weights, functions: _Level) -> None:
        tables = [None if array is None else kept_once(array) for array in weights.arrays[: weights.tables]]
        arrays = tables + weights.arrays[weights.tables :]
        pointers = (_POINTER * len(arrays))(*(None if array is None else array.ctypes.data for array in arrays))
        layers = (LayerStruct * len(weights.layers))(*weights.layers)
        self.pointer = functions.make(ctypes.addressof(weights.shape), layers, ctypes.cast(pointers, _POINTER))
        if not self.pointer:
            raise MemoryError("not enough memory for the weights of the engine native")
        self._tables = tables  # embedding tables are read in place
        weakref.finalize(self, _discard, functions, self.pointer, os.getpid())


def _discard(functions: _Level, pointer: int, made_in: int) -> None:
    # Discarding waits for the threads of the model, which do not exist in a forked process.
    if os.getpid() == made_in:
        functions.discard(pointer)


class NativeEngine:
    """Runs the int8 weights of an encoder's or a recurrent student's graph; activations get one scale per token.

    A text's logits are bit-identical whatever other texts are in the call, however texts are packed, and whatever the
    number of threads. Embeddings, attention, norms, an LSTM's cells and activation functions are fp32.

    Args:
        path: the int8 graph of an encoder of a mapped family, packed or padded, or of a recurrent student.
        properties: the artifact's; `layers`, `hidden` and `head_size` are read for an encoder, `embedding`, `units`,
            `projection` and `pooling` for a recurrent student.
        threads: threads that work together on one call; of simultaneous calls, only the first one gets them.
        leaving: the calibrated early exits of an encoder, at which texts may leave; None: all go through every layer.
        level: an instruction set of `levels()`; None takes $LEANFORMER_LEVEL, or else the best that this CPU has.

    Raises `ArtifactError` for a graph that computes anything else, `MissingCompilerError` without a C++ compiler.
    """

    # A recurrent student processes one token of each text at a time: the more texts in a call, the less often its
    # weights are read from memory.
    PACK_TOKENS, RECURRENT_PACK_TOKENS = 192, 768

    def __init__(
        self, path: Path, properties: Mapping[str, Any], threads: int = 1, *, level: str | None = None,
        leaving: Leaving | None = None,
    ) -> None:  # fmt: skip
        try:
            graph = read_onnx(path)
            recurrent = is_recurrent(graph)
            if recurrent:
                weights, leaving = recurrent_weights_of(graph, properties), None
            elif leaving is None:
                weights = weights_of(graph, properties)
            else:
                weights = weights_of(graph, properties, leaving.exits)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(
                f"{path}: the engine native runs int8 graphs of encoders of mapped families and of recurrent students, "
                f"and not this one: {error}\n"
                "  remedy: the engine onnxruntime"
            ) from error
        self.level, functions = _level(level, recurrent=recurrent)
        self._weights, self._threads, self._recurrent = replace(weights, arrays=[]), threads, recurrent
        self._pack_tokens = self.RECURRENT_PACK_TOKENS if recurrent else self.PACK_TOKENS
        self._model, self._infer, self._rouse = _Model(weights, functions), functions.infer, functions.rouse
        self._leaving, self._infer_leaving = leaving, functions.infer_leaving

    @property
    def best_level(self) -> str:
        """The best instruction set that this CPU has."""
        return next(level for level in levels() if _functions(level, self._recurrent))

    def together(self, threads: int) -> NativeEngine:
        """The same model with shared weights and `threads` threads per call."""
        other = copy(self)
        other._threads = threads
        return other

    def rouse(self) -> None:
        """Wake the threads that share a call with this one, for a call within the next few hundred microseconds."""
        if self._threads > 1:
            self._rouse(self._model.pointer, self._threads)

    def cut(self, rows: Sequence[np.ndarray], tokens: int | None = None) -> list[Lines]:
        """Packs of about equal work, the longest rows first; nothing is padded, so only the order matters."""
        budget = tokens or self._pack_tokens
        packs: list[Lines] = []
        pack: list[int] = []
        filled = 0
        for row in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
            if pack and filled + len(rows[row]) > budget:
                packs.append([pack])
                pack, filled = [], 0
            pack.append(row)
            filled += len(rows[row])
        return [*packs, [pack]] if pack else packs

    def run(self, rows: Sequence[np.ndarray], lines: Lines) -> np.ndarray:
        chosen = [rows[i] for line in lines for i in line]
        starts = np.zeros(len(chosen) + 1, np.int32)
        np.cumsum([len(row) for row in chosen], out=starts[1:])
        together = chosen[0] if len(chosen) == 1 else np.concatenate(chosen)
        ids, types = together, None
        if together.ndim == 2:
            ids, types = together[:, 0], np.ascontiguousarray(together[:, 1], np.int32)
        ids = np.ascontiguousarray(ids, np.int32)
        known = self._weights
        result = np.empty((len(ids) if known.per_token else len(chosen), known.labels), np.float32)
        types = types if known.types else None
        given = (
            self._model.pointer, ids.ctypes.data, None if types is None else types.ctypes.data,
            starts.ctypes.data, len(chosen), self._threads,
        )  # fmt: skip
        if self._leaving is None:
            outcome = self._infer(*given, result.ctypes.data)
        else:
            left_at = np.zeros(len(chosen), np.int32)
            rules = ctypes.addressof(self._leaving.rules)
            outcome = self._infer_leaving(*given, rules, result.ctypes.data, left_at.ctypes.data)
            if outcome == _DONE:
                self._leaving.count(left_at)
        if outcome == _OUT_OF_RANGE:
            lengths = np.diff(starts)
            places = "" if known.positions is None else f"{known.positions} positions, "
            raise ValueError(
                f"rows of {lengths.min()} to {lengths.max()} tokens with ids {ids.min(initial=0)} to "
                f"{ids.max(initial=0)}; this model has {places}{known.vocabulary} ids and {known.types} types"
            )
        if outcome != _DONE:
            raise MemoryError(f"not enough memory for {len(ids)} tokens")
        return result


@cache
def _loaded() -> ctypes.CDLL:
    return load_library(_declare)


def _declare(library: ctypes.CDLL) -> None:
    library.leanformer_level.restype = ctypes.POINTER(_Level)


def _level(name: str | None, *, recurrent: bool = False) -> tuple[str, _Level]:
    """The functions of that instruction set; without a name, of the one in the environment, or of the best.

    Raises `LeanformerError` for an instruction set that this CPU does not have, or that does not exist.
    """
    asked = name or forced_level()
    for level in (asked,) if asked else levels():
        if found := _functions(level, recurrent):
            return level, found
    there = [level for level in levels() if _functions(level, recurrent)]
    origin = "" if name else f"{VARIABLE}={asked}: "
    remedy = f"one of {', '.join(there)}" + ("" if name else f", or unset {VARIABLE}")
    raise LeanformerError(f"{origin}this CPU cannot run the native engine for {asked!r}\n  remedy: {remedy}")


def _functions(level: str, recurrent: bool) -> _Level | None:
    found = _loaded().leanformer_level(level.encode(errors="replace"), int(recurrent))
    return found.contents if found else None
