"""How fast this machine multiplies matrices at best: a small probe, as a reference for a model's speed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Peak:
    """Best rate found, in operations per second (a multiply-add counts as two), fp32, and how it was measured."""

    flops_per_second: float
    method: str


def measure_peak(*, size: int = 1024, repeats: int = 8) -> Peak:
    """The best of a few products of square fp32 matrices with numpy, with as many threads as its BLAS uses.

    The BLAS is the one that numpy was built with. The processor's own limit may be higher, and with 8-bit instructions
    it is, so a share of this peak above 1 is not an error.
    """
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    np.matmul(a, b, out=out)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        np.matmul(a, b, out=out)
        best = min(best, time.perf_counter() - start)
    return Peak(2 * size**3 / best, f"best of {repeats} products of {size} x {size} fp32 matrices with numpy")
