"""Bits of each matrix by an integer program: the least damage within a number of bytes.

Paper: Hubara et al. 2021 (arXiv 2006.10518); HAWQ-V3 (Yao et al. 2021, arXiv 2011.10680). The damage of a choice is
measured one matrix at a time, and the sum is taken for that of all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def choose_bits(damage: np.ndarray, sizes: np.ndarray, budget: float) -> list[int]:
    """The index of each matrix's choice, with the least sum of damage at a sum of sizes of at most `budget`.

    Args:
        damage, sizes: `[matrices, choices]`, in any units.

    Exact. Raises `ValueError` if the smallest choices are together larger than the budget.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if sizes.min(axis=1).sum() > budget:
        raise ValueError(f"the smallest choices have {sizes.min(axis=1).sum():g} together, more than {budget:g}")
    matrices, choices = damage.shape
    one_each = np.kron(np.eye(matrices), np.ones(choices))
    # Without a scale, damages of 1e-6 would be less than what the solver takes for equal.
    scale = max(float(np.abs(damage).max()), 1e-30)
    found = milp(
        damage.ravel() / scale,
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(sizes.ravel()[None], 0, budget)],
        integrality=np.ones(damage.size), bounds=Bounds(0, 1), options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    if found.x is None:
        raise ValueError(f"no choice was found: {found.message}")
    return found.x.reshape(matrices, choices).argmax(axis=1).tolist()


def uniform(sizes: Sequence[float] | np.ndarray, budget: float) -> int:
    """The last choice that all matrices can have alike: its index, for `sizes` `[matrices, choices]` that rise."""
    totals = np.asarray(sizes).sum(axis=0)
    return int(np.flatnonzero(totals <= budget)[-1])
