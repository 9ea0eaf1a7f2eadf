"""Our own engine behind the engine's narrow call: texts end to end, nothing padded, one thread a call."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.errors import ArtifactError, LeanformerError
from leanformer.runtime.native.build import levels, library
from leanformer.runtime.native.weights import LayerShape, Shape, UnsupportedGraphError, weights_of
from leanformer.runtime.onnx_file import read_onnx
from leanformer.runtime.packing import Lines

_POINTER = ctypes.c_void_p


class _Level(ctypes.Structure):
    """As in encoder.h."""

    _fields_ = [
        ("make", ctypes.CFUNCTYPE(_POINTER, ctypes.POINTER(Shape), ctypes.POINTER(LayerShape), _POINTER)),
        ("discard", ctypes.CFUNCTYPE(None, _POINTER)),
        ("infer", ctypes.CFUNCTYPE(ctypes.c_int, *[_POINTER] * 4, ctypes.c_int, _POINTER)),
    ]


class NativeEngine:
    """Runs the int8 weights of a packed graph; activations get one scale per token.

    What a text's answer is does not depend on the texts beside it, on how they are cut, or on the number of threads,
    to the last bit. Embeddings, attention, norms and activation functions are fp32.

    Args:
        path: a packed int8 graph of a post-norm encoder whose head reads the first token.
        properties: the artifact's; `layers` and `head_size` are read.
        level: an instruction set of `levels()`; None is the best that this CPU has.

    Raises `ArtifactError` for a graph that computes something else, `MissingCompilerError` without a C++ compiler.
    """

    PACK_TOKENS = 192

    def __init__(self, path: Path, properties: Mapping[str, Any], *, level: str | None = None) -> None:
        try:
            weights = weights_of(read_onnx(path), properties)
        except (UnsupportedGraphError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{path}: the engine native runs packed int8 graphs of post-norm encoders, and not this one: {error}\n"
                "  remedy: the engine onnxruntime"
            ) from error
        self.level, functions = _level(level)
        self._labels, self._vocabulary = weights.shape.labels, weights.vocabulary
        self._positions, self._types = weights.positions, weights.types
        # The tables of the embeddings are read where they lie.
        self._kept = weights.arrays
        pointers = (_POINTER * len(weights.arrays))(
            *(None if one is None else one.ctypes.data for one in weights.arrays)
        )
        layers = (LayerShape * len(weights.layers))(*weights.layers)
        self._model = functions.make(ctypes.byref(weights.shape), layers, ctypes.cast(pointers, _POINTER))
        if not self._model:
            raise MemoryError(f"{path}: not enough memory for the engine native")
        self._infer = functions.infer
        weakref.finalize(self, functions.discard, self._model)

    def cut(self, rows: Sequence[np.ndarray], tokens: int | None = None) -> list[Lines]:
        """Rows of about equal work, the longest first; nothing is padded, so the order is all that matters."""
        budget = tokens or self.PACK_TOKENS
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
        together = np.concatenate(chosen)
        starts = np.zeros(len(chosen) + 1, np.int32)
        np.cumsum([len(one) for one in chosen], out=starts[1:])
        types = None
        if together.ndim == 2:
            ids = np.ascontiguousarray(together[:, 0], np.int32)
            types = np.ascontiguousarray(together[:, 1], np.int32) if self._types else None
        else:
            ids = np.ascontiguousarray(together, np.int32)
        self._check(ids, types, starts)
        result = np.empty((len(chosen), self._labels), np.float32)
        failed = self._infer(
            self._model, ids.ctypes.data, None if types is None else types.ctypes.data, starts.ctypes.data,
            len(chosen), result.ctypes.data,
        )  # fmt: skip
        if failed:
            raise MemoryError(f"not enough memory for {len(ids)} tokens")
        return result

    def _check(self, ids: np.ndarray, types: np.ndarray | None, starts: np.ndarray) -> None:
        """What goes into C++ as an index must be inside its table."""
        lengths = np.diff(starts)
        if lengths.min() < 1 or lengths.max() > self._positions:
            raise ValueError(f"a row has {lengths.min()} to {lengths.max()} tokens, not 1 to {self._positions}")
        if ids.min() < 0 or ids.max() >= self._vocabulary:
            raise ValueError(f"token ids are {ids.min()} to {ids.max()}, not 0 to {self._vocabulary - 1}")
        if types is not None and (types.min() < 0 or types.max() >= self._types):
            raise ValueError(f"token types are {types.min()} to {types.max()}, not 0 to {self._types - 1}")


@cache
def _loaded() -> ctypes.CDLL:
    result = ctypes.CDLL(str(library()))
    result.leanformer_level.restype = ctypes.POINTER(_Level)
    return result


def _level(name: str | None) -> tuple[str, _Level]:
    """The functions of that instruction set, or of the best."""
    for one in levels() if name is None else (name,):
        found = _loaded().leanformer_level(one.encode())
        if found:
            return one, found.contents
    raise LeanformerError(f"this CPU cannot run the native engine for {name}\n  remedy: one of {', '.join(levels())}")
