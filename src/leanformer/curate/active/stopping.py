"""When to stop labelling: the answers on fixed texts no longer change (Bloodgood and Vijay-Shanker 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from leanformer.metrics.agreement import cohen_kappa

AGREEMENT = 0.99
ROUNDS = 3


def agreements(answers: Sequence[np.ndarray], classes: int) -> list[float]:
    """Cohen's kappa between the answers of each round and the next, classes `[n]` on the same texts."""
    return [cohen_kappa(before, after, classes) for before, after in pairwise(answers)]


def is_stable(kappas: Sequence[float]) -> bool:
    """Whether the last `ROUNDS` of at least as many agreements are `AGREEMENT` or more on average."""
    return len(kappas) >= ROUNDS and float(np.mean(kappas[-ROUNDS:])) >= AGREEMENT
