"""The first rungs of every ladder, the teacher in PyTorch: their names, and those of earlier versions.

The floor comes after them: a linear model, which a Transformer has to beat to be worth its cost.
"""

from __future__ import annotations

import re

PADDED_TO = 128
UNPADDED = "PyTorch, one text at a time"
BATCHED = "PyTorch, batches by length"
FLOOR = "linear on n-grams"
_EARLIER = {"no padding": UNPADDED, "batches by length": BATCHED}


def padded(width: int) -> str:
    """One text at a time, each padded to `width` tokens: the kind of baseline that FastFormers starts from."""
    return f"{UNPADDED}, padded to {width}"


def present_name(name: str) -> str:
    """The current name of a first rung, whatever version named it; other names are returned unchanged."""
    if found := re.fullmatch(r"PyTorch, padded to (\d{1,9})", name):
        return padded(int(found[1]))
    return _EARLIER.get(name, name)
