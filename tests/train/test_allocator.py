"""Freed memory goes back to the system; a process of its own, as the setting is for all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from leanformer.train.allocator import resident_bytes

# Blocks of many sizes, of which every other one is freed: the ones left keep a heap from shrinking.
CODE = """
import sys
import numpy as np
from leanformer.train.allocator import resident_bytes, return_freed_memory
assert sys.argv[1] == "no" or return_freed_memory()
for _ in range(3):  # what is freed raises the size from which on blocks are given back
    np.ones(3_000_000)
before = resident_bytes()
blocks = [np.ones(20_000 + 1000 * number) for number in range(300)]
held = sum(block.nbytes for block in blocks)
del blocks[::2]
left = sum(block.nbytes for block in blocks)
print(held, resident_bytes() - before - left)
"""


def over(told: str) -> float:
    """What a process holds beside its blocks, as a share of what they had at most."""
    made = subprocess.run([sys.executable, "-c", CODE, told], capture_output=True, text=True, check=True)
    held, rest = map(int, made.stdout.split())
    return rest / held


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can be told")
def test_what_is_freed_between_other_blocks_is_given_back() -> None:
    assert over("no") > 0.3
    assert over("yes") < 0.1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells it there")
def test_the_resident_memory_is_told() -> None:
    found = resident_bytes()
    assert found is not None and 5e6 < found < 1e12
