"""The rungs that every ladder begins with, the teacher in PyTorch: their names, and those of earlier versions.

The floor stands behind them: a linear model, which no Transformer is worth its cost that does not beat it.
"""

from __future__ import annotations

import re

PADDED_TO = 128
UNPADDED = "PyTorch, one text at a time"
BATCHED = "PyTorch, batches by length"
FLOOR = "linear on n-grams"
_EARLIER = {"no padding": UNPADDED, "batches by length": BATCHED}


def padded(width: int) -> str:
    """One text at a time, each padded to so many tokens: the kind of baseline that FastFormers starts from."""
    return f"{UNPADDED}, padded to {width}"


def present_name(name: str) -> str:
    """The name of a first rung as it is now, whatever version gave it; other names are left as they are."""
    if found := re.fullmatch(r"PyTorch, padded to (\d{1,9})", name):
        return padded(int(found[1]))
    return _EARLIER.get(name, name)
