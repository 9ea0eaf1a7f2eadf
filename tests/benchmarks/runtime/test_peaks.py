"""The peaks of a core: a rate for each kind of instruction that it has."""

from __future__ import annotations

import platform

import pytest

from benchmarks.runtime.peaks import KINDS, peaks
from leanformer.machine import instruction_sets
from tests.making.native import needs_compiler

pytestmark = [needs_compiler, pytest.mark.skipif(platform.machine() != "x86_64", reason="written for x86-64")]


@pytest.mark.parametrize("threads", [1, 2])
def test_each_kind_that_this_cpu_has_is_measured(threads: int):
    found = peaks(rounds=3, threads=threads)
    assert set(found) == {kind for kind, needed in KINDS.items() if needed in instruction_sets()}
    # From a hundredth of what the slowest AVX2 core does to more than the fastest of today does.
    assert all(1e8 < rate < 1e14 for rate in found.values())
