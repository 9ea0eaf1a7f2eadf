"""How many heads and units each layer keeps: the largest total importance within a budget.

This is a multiple-choice knapsack, solved by dynamic programming. Each layer makes two choices, a number of heads and
a number of units. The value of a choice is the sum of the best scores; its cost comes from a table that need not be
linear. Kwon et al. 2022 enumerate the head counts and spend the rest on units, which assumes that a unit costs the
same in every layer. That does not hold in a graph that computes the last layer for one token only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from leanformer.compress.prune.costs import CostTable, Widths
from leanformer.errors import RecipeError

# Number of steps that a budget is divided into, unless the costs are whole multiples of fewer. There are 24 choices,
# each rounded up by less than one step, so at most about 0.1 % of the budget stays unspent.
_MOST_STEPS = 20_000


def allocate(
    heads: Sequence[np.ndarray], units: Sequence[np.ndarray], costs: CostTable, budget: float, *, multiple: int = 1
) -> tuple[Widths, ...]:
    """The widths with the largest sum of kept scores among those that cost at most `budget`.

    Args:
        heads, units: per layer the scores `[heads]` and `[ffn]`, none negative; keeping k counts the k best scores.
        costs: the cost of every number of heads and units.
        budget: in the unit of `costs`, including its fixed part.
        multiple: feed-forward widths to consider: multiples of this, and the full width.

    Every layer keeps at least one head and one unit (or `multiple` units). The result is exact if the costs are whole
    numbers and the budget is at most 20,000 times their common divisor. Otherwise costs are rounded up to 1 / 20,000 of
    the budget, so the budget is still respected. Raises `RecipeError` if the smallest shape costs more than the budget.
    """
    choices = [(np.arange(1, len(head) + 1), head, table) for head, table in zip(heads, costs.heads, strict=True)]
    choices += [(_widths(len(unit), multiple), unit, table) for unit, table in zip(units, costs.units, strict=True)]
    smallest = costs.fixed + sum(float(table[counts[0]]) for counts, _, table in choices)
    slack = 1e-9 * max(costs.full, 1e-30)  # keeping everything must not fail because of rounding
    if smallest > budget + slack:
        raise RecipeError(
            f"the budget of {budget:.4g} {costs.unit} cannot be met: a model with one head and the fewest units in "
            f"every layer costs {smallest:.4g} of {costs.full:.4g}\n"
            f"  remedy: keep at least {math.ceil(100 * smallest / costs.full) / 100:g}, or fewer layers"
        )
    if costs.full <= budget + slack:  # with costs rounded up, something would be left out
        return tuple(Widths(len(h), len(u)) for h, u in zip(heads, units, strict=True))
    extra = [table[counts] - table[counts[0]] for counts, _, table in choices]
    step = _step(extra, budget - smallest + slack)
    steps = int((budget - smallest + slack) / step) if step else 0
    worth = [np.concatenate([[0.0], np.cumsum(np.sort(scores)[::-1])])[counts] for counts, scores, _ in choices]
    picked = _knapsack([np.ceil(prices / step - 1e-9).astype(np.int64) if step else prices.astype(np.int64)
                        for prices in extra], worth, steps)  # fmt: skip
    kept = [int(counts[i]) for (counts, _, _), i in zip(choices, picked, strict=True)]
    return tuple(Widths(h, u) for h, u in zip(kept[: len(heads)], kept[len(heads) :], strict=True))


def _widths(width: int, multiple: int) -> np.ndarray:
    return np.unique([*range(multiple, width + 1, multiple), width])


def _step(extra: Sequence[np.ndarray], room: float) -> float:
    """The step size that the budget is divided into; 0 if there is nothing to spend."""
    together = np.concatenate(extra)
    if room <= 0 or not together.any():
        return 0.0
    if np.array_equal(together, np.rint(together)):
        divisor = math.gcd(*(int(cost) for cost in together))
        if room / divisor <= _MOST_STEPS:
            return float(divisor)
    return min(room, float(together.sum())) / _MOST_STEPS


def _knapsack(costs: Sequence[np.ndarray], worth: Sequence[np.ndarray], steps: int) -> list[int]:
    """One option per group, with the most worth at a total cost (whole numbers, the first 0) of at most `steps`."""
    best = np.zeros(steps + 1)
    taken = []
    for prices, values in zip(costs, worth, strict=True):
        better, which = np.full(steps + 1, -np.inf), np.zeros(steps + 1, dtype=np.int32)
        for i, (price, value) in enumerate(zip(prices.tolist(), values.tolist(), strict=True)):
            if price > steps:
                break
            reached = best[: steps + 1 - price] + value
            # On a tie take the larger option: keeping everything must include gates with a score of 0.
            wins = reached >= better[price:]
            better[price:][wins], which[price:][wins] = reached[wins], i
        best = better
        taken.append(which)
    picked, left = [], steps
    for prices, which in zip(reversed(costs), reversed(taken), strict=True):
        picked.append(int(which[left]))
        left -= int(prices[picked[-1]])
    return picked[::-1]
