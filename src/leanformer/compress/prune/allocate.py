"""How many heads and units each layer keeps: the most importance that a budget can buy.

A multiple-choice knapsack, solved by dynamic programming: each layer offers two choices, a number of heads and a
number of units, whose worth is the sum of the best scores and whose cost comes from a table, linear or not. Kwon et
al. 2022 enumerate the head counts and spend the rest on units, which supposes that a unit costs the same everywhere;
in a graph that computes the last layer for one token it does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from leanformer.compress.prune.costs import CostTable, Widths
from leanformer.errors import RecipeError

# Steps into which a budget is divided, unless whole steps of the costs themselves are fewer: 24 choices, each
# rounded up by less than one step, leave at most about 0.1 % of it unspent.
_MOST_STEPS = 20_000


def allocate(
    heads: Sequence[np.ndarray], units: Sequence[np.ndarray], costs: CostTable, budget: float, *, multiple: int = 1
) -> tuple[Widths, ...]:
    """The widths whose kept scores have the largest sum among those that cost at most `budget`.

    Args:
        heads, units: per layer the scores `[heads]` and `[ffn]`, none negative; of k kept ones the k best count.
        costs: of every number of heads and units.
        budget: in the unit of `costs`, its fixed part included.
        multiple: widths of feed-forward blocks to consider: multiples of this, and the full width.

    Every layer keeps a head and a unit (or `multiple` of them). Exact while the costs are whole numbers with at
    most 20,000 steps of their common divisor in the budget; otherwise costs are rounded up to 1 / 20,000 of the
    budget, so that the budget holds all the same. Raises `RecipeError` when the smallest shape costs more.
    """
    choices = [(np.arange(1, len(head) + 1), head, table) for head, table in zip(heads, costs.heads, strict=True)]
    choices += [(_widths(len(unit), multiple), unit, table) for unit, table in zip(units, costs.units, strict=True)]
    smallest = costs.fixed + sum(float(table[counts[0]]) for counts, _, table in choices)
    slack = 1e-9 * max(costs.full, 1e-30)  # keeping everything must not fail by a rounding error
    if smallest > budget + slack:
        raise RecipeError(
            f"the budget of {budget:.4g} {costs.unit} cannot be met: a model with one head and the fewest units in "
            f"every layer costs {smallest:.4g} of {costs.full:.4g}\n"
            f"  remedy: keep at least {math.ceil(100 * smallest / costs.full) / 100:g}, or fewer layers"
        )
    if costs.full <= budget + slack:  # costs that are rounded up would leave something out
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
    """The unit in which the budget is divided; 0 when there is nothing to spend."""
    together = np.concatenate(extra)
    if room <= 0 or not together.any():
        return 0.0
    if np.array_equal(together, np.rint(together)):
        divisor = math.gcd(*(int(cost) for cost in together))
        if room / divisor <= _MOST_STEPS:
            return float(divisor)
    return min(room, float(together.sum())) / _MOST_STEPS


def _knapsack(costs: Sequence[np.ndarray], worth: Sequence[np.ndarray], steps: int) -> list[int]:
    """One option of each group, so that costs (whole numbers, the first 0) sum to at most `steps`, worth the most."""
    best = np.zeros(steps + 1)
    taken = []
    for prices, values in zip(costs, worth, strict=True):
        better, which = np.full(steps + 1, -np.inf), np.zeros(steps + 1, dtype=np.int32)
        for i, (price, value) in enumerate(zip(prices.tolist(), values.tolist(), strict=True)):
            if price > steps:
                break
            reached = best[: steps + 1 - price] + value
            # Of equals the larger: keeping everything must keep also what scores nothing.
            wins = reached >= better[price:]
            better[price:][wins], which[price:][wins] = reached[wins], i
        best = better
        taken.append(which)
    picked, left = [], steps
    for prices, which in zip(reversed(costs), reversed(taken), strict=True):
        picked.append(int(which[left]))
        left -= int(prices[picked[-1]])
    return picked[::-1]
