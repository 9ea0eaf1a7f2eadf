"""A model whose table of positions lies at an odd address; UBSan is to end this process."""

from __future__ import annotations

from unittest import mock

import numpy as np

from leanformer.runtime.engines import native_engine
from leanformer.runtime.native.weights import EncoderStruct, LayerStruct, Weights

WIDTH = 16


def odd(rows: int) -> np.ndarray:
    """Floats that begin one byte behind an aligned address."""
    return np.frombuffer(b"\0" * (4 * WIDTH * rows + 1), np.float32, offset=1).reshape(rows, WIDTH)


def linear() -> list[np.ndarray]:
    return [np.zeros((WIDTH, WIDTH), np.int8), np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)]


norm = [np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)]
maps = linear() + linear()
maps[3:6] = [np.zeros((WIDTH, 2 * WIDTH), np.int8), np.zeros(2 * WIDTH, np.float32), np.zeros(2 * WIDTH, np.float32)]
layer = [*maps, *linear(), *norm, *linear(), *linear(), *norm]
arrays = [None, odd(2), None, odd(4), None, *norm, None, None, *layer, *linear(), *linear()]
shape = EncoderStruct(
    *[WIDTH] * 6, 1, WIDTH, WIDTH, 1, 4, 0, 0, 2, 4, 0, *[0] * 6, 1e-12
)  # fmt: skip
weights = Weights(shape, [LayerStruct(1, WIDTH, -1, -1, -1, -1)], arrays, 2, WIDTH, 4)

_, functions = native_engine._level("generic")
with mock.patch.object(native_engine, "kept_once", lambda array: array):  # as it was, without an aligned copy
    model = native_engine._Model(weights, functions)
ids, starts, result = np.zeros(3, np.int32), np.array([0, 3], np.int32), np.empty((1, WIDTH), np.float32)
functions.infer(model.pointer, ids.ctypes.data, None, starts.ctypes.data, 1, 1, result.ctypes.data)
print("nothing was noticed")
