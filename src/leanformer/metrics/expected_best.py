"""Expected validation performance: what the best of n trials is worth, from the trials that were run.

Dodge et al. 2019, Show Your Work (arXiv 1909.03004). One lucky winner says little; the curve over n shows what another
search of that size would find. It assumes that trials are independent draws from one distribution, as in random search.
A search that learns from its trials (TPE, NSGA-II) draws better ones later; for it, the curve shows what its trials
would have given in random order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb


def expected_best(values: Sequence[float], n: int, *, with_replacement: bool = False) -> float:
    """The expected maximum of `n` of the values, drawn at random.

    Without replacement, the mean over all subsets of size n: unbiased (Tang et al. 2020, arXiv 2004.13705). With
    replacement, the plug-in estimate of Dodge et al., which is too low for large n. Raises `ValueError` for an n that
    is not possible with these values.
    """
    count = len(values)
    if n < 1 or (n > count and not with_replacement) or not count:
        raise ValueError(f"no {n} of {count} values can be drawn")
    rising = sorted(values)
    if with_replacement:
        return sum(v * ((i / count) ** n - ((i - 1) / count) ** n) for i, v in enumerate(rising, start=1))
    # The i-th smallest is the maximum of as many subsets as there are ways to choose the rest from the smaller ones.
    return sum(v * (comb(i - 1, n - 1) / comb(count, n)) for i, v in enumerate(rising, start=1) if i >= n)


def expected_best_curve(values: Sequence[float]) -> list[float]:
    """`expected_best` for n = 1 to all of them: its first entry is the mean, its last the maximum."""
    return [expected_best(values, n) for n in range(1, len(values) + 1)]
