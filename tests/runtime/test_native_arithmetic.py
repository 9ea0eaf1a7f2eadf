"""The arithmetic of the native engine alone, on rows whose right answer is known."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from leanformer.runtime.native.compiler import find_compiler
from leanformer.runtime.native.levels import LEVELS
from leanformer.runtime.native.sources import FOLDER
from tests.making.native import needs_compiler, usable_levels

pytestmark = needs_compiler
Multiply = Callable[[np.ndarray, np.ndarray], np.ndarray]

SOURCE = """
#include "linear.h"
extern "C" float quantised(const float* x, int width, float* scale, int* zero, int* bytes) {
    Rows rows{block<uint8_t>(width), block<float>(1), block<int32_t>(1)};
    quantise(x, width, rows, 0);
    *scale = rows.scale[0], *zero = rows.zero[0] - LOWEST;
    for (int i = 0; i < width; i++) bytes[i] = rows.values[i] - LOWEST;
    return 0;
}
extern "C" void normalised(float* x, const float* added, const float* weight, const float* bias, int width, int padded,
                           float epsilon) {
    normalise(x, added, Norm{copied(weight, padded), copied(bias, padded)}, width, padded, epsilon, x);
}
"""


def compiled(source: str, folder: Path, flags: Sequence[str] = ()) -> ctypes.CDLL:
    (folder / "part.cpp").write_text(source)
    command = [*find_compiler(), "-std=c++17", "-O1", "-fPIC", "-shared", "-pthread", *flags, "-I", str(FOLDER)]
    subprocess.run([*command, str(folder / "part.cpp"), "-o", str(folder / "part.so")], check=True, timeout=120)
    return ctypes.CDLL(str(folder / "part.so"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Two functions of the engine's headers, compiled for the least instruction set."""
    return compiled(SOURCE, tmp_path_factory.mktemp("arithmetic"))


def quantised(engine: ctypes.CDLL, row: np.ndarray) -> tuple[np.ndarray, float, int]:
    """The bytes of a row, from 0, its scale, and the byte of zero."""
    row, found = row.astype(np.float32), np.zeros(len(row), np.int32)
    scale, zero = ctypes.c_float(), ctypes.c_int()
    engine.quantised(
        row.ctypes.data_as(ctypes.c_void_p), len(row), ctypes.byref(scale), ctypes.byref(zero),
        found.ctypes.data_as(ctypes.c_void_p),
    )  # fmt: skip
    return found, scale.value, zero.value


def normalised(
    engine: ctypes.CDLL, row: np.ndarray, added: np.ndarray | None, width: int, epsilon: float
) -> np.ndarray:
    row, size = row.astype(np.float32), len(row)
    added = None if added is None else added.astype(np.float32)
    weight, bias = (np.where(np.arange(size) < width, value, 0).astype(np.float32) for value in (2.0, 0.5))
    pointers = [None if part is None else part.ctypes.data_as(ctypes.c_void_p) for part in (row, added, weight, bias)]
    engine.normalised(*pointers, width, size, ctypes.c_float(epsilon))
    return row


def test_bytes_stand_for_the_values(engine: ctypes.CDLL):
    row = np.random.default_rng(0).standard_normal(64)
    found, scale, zero = quantised(engine, row)
    assert scale == pytest.approx((row.max() - row.min()) / 255, rel=1e-6)
    np.testing.assert_allclose(scale * (found - zero), row, atol=0.51 * scale)
    assert found.min() == 0 and found.max() == 255


def test_a_value_that_rounds_beyond_the_largest_byte_is_the_largest(engine: ctypes.CDLL):
    """Zero is byte 2 (1.5 rounded), and 253.5 the byte 254 above it: 256, which would begin again at 0."""
    row = np.zeros(16)
    row[:2] = -1.5, 253.5
    found, scale, zero = quantised(engine, row)
    assert scale == pytest.approx(1) and zero == 2
    assert found.tolist() == [0, 255, *[2] * 14]


def test_a_row_of_zeros_and_one_of_one_sign_keep_zero_exact(engine: ctypes.CDLL):
    assert quantised(engine, np.zeros(16)) == (pytest.approx(np.zeros(16)), 0, 0)
    found, scale, zero = quantised(engine, np.array([5.0] * 8 + [0.0] * 8))
    assert zero == 0 and scale == pytest.approx(5 / 255) and found.tolist() == [255] * 8 + [0] * 8


def test_a_norm_is_that_of_its_formula(engine: ctypes.CDLL):
    """Of 20 values, filled up to 32 with zeros that count for nothing."""
    generator = np.random.default_rng(1)
    row, added = (np.concatenate([generator.standard_normal(20), np.zeros(12)]) for _ in range(2))
    total = (row + added)[:20]
    expected = 2 * (total - total.mean()) / np.sqrt(total.var() + 0.1) + 0.5
    found = normalised(engine, row, added, 20, 0.1)
    np.testing.assert_allclose(found[:20], expected, rtol=1e-5, atol=1e-5)
    assert not found[20:].any()


def test_a_row_without_variance_is_its_bias(engine: ctypes.CDLL):
    """Without the epsilon it would be nought divided by nought."""
    assert normalised(engine, np.full(16, 3.0), None, 16, 1e-12).tolist() == [0.5] * 16


PRODUCTS = """
#include "arrays.h"
extern "C" void multiplied(const int8_t* weights, int in, int out, const uint8_t* bytes, int count, float* result) {
    auto panels = block<int8_t>(size_t(in) * out + READ_AHEAD);
    const auto scale = block<float>(out), bias = block<float>(out);
    for (int c = 0; c < out; c++) scale[c] = 1;
    const void* given[] = {weights, scale.get(), bias.get()};
    const Linear map = Arrays{given, panels}.linear(in, out);
    Rows rows{block<uint8_t>(size_t(count) * in), block<float>(count), block<int32_t>(count)};
    for (int i = 0; i < count * in; i++) rows.values[i] = uint8_t(bytes[i] + LOWEST);
    for (int r = 0; r < count; r++) rows.scale[r] = 1, rows.zero[r] = LOWEST;
    multiply(map, rows, count, result);
}
"""


@pytest.fixture(scope="module", params=usable_levels() or ["generic"])
def multiply(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Multiply:
    """Rows of bytes from 0 times weights, compiled for an instruction set of this CPU."""
    part = compiled(PRODUCTS, tmp_path_factory.mktemp("products"), LEVELS[request.param])

    def call(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        result = np.zeros((len(rows), weights.shape[1]), np.float32)
        arrays = np.ascontiguousarray(weights, np.int8), np.ascontiguousarray(rows, np.uint8), result
        weight, given, out = (each.ctypes.data_as(ctypes.c_void_p) for each in arrays)
        part.multiplied(weight, *weights.shape, given, len(rows), out)
        return result

    return call


@pytest.mark.parametrize("out", [16, 48, 64, 80, 160])
@pytest.mark.parametrize("most", [64, 127])
def test_products_are_exact(multiply: Multiply, out: int, most: int):
    """Also where two products are more than 16 bits hold; weights up to 64 never are."""
    generator = np.random.default_rng(out)
    for rows in (1, 5, 13):
        values, weights = generator.integers(0, 256, (rows, 96)), generator.integers(-most, most + 1, (96, out))
        np.testing.assert_array_equal(multiply(values, weights), values @ weights)


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("second", range(4))
@pytest.mark.parametrize("sign", [-1, 1])
def test_two_large_weights_of_one_sign_stay_exact(multiply: Multiply, first: int, second: int, sign: int):
    """Wherever they stand in a quad, in a single column of many, and just within what 16 bits hold or beyond."""
    for size in (64, 65, 127):
        weights = np.random.default_rng(0).integers(-3, 4, (32, 32))
        weights[8 + first, 21] = weights[8 + second, 21] = sign * size
        values = np.full((7, 32), 255)
        np.testing.assert_array_equal(multiply(values, weights), values @ weights)
