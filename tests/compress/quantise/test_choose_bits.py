"""The integer program beside all choices, and beside the same bits for all."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from leanformer.compress.quantise.choose_bits import choose_bits, uniform

BITS = np.array([2, 3, 4, 8])


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    numels = generator.integers(100, 2000, size=6)
    sensitivity = 10 ** generator.uniform(-6, 0, size=6)
    return sensitivity[:, None] * 4.0**-BITS, numels[:, None] * BITS


@pytest.mark.parametrize("seed", range(8))
def test_it_equals_brute_force_and_is_never_worse_than_uniform(seed: int):
    damage, sizes = problem(seed)
    for budget in (sizes[:, 1].sum(), sizes[:, 2].sum() * 1.1):
        chosen = choose_bits(damage, sizes, budget)
        rows = np.arange(6)
        assert sizes[rows, chosen].sum() <= budget
        best = min(
            sum(damage[row, column] for row, column in enumerate(each))
            for each in product(range(4), repeat=6)
            if sum(sizes[row, column] for row, column in enumerate(each)) <= budget
        )
        assert damage[rows, chosen].sum() == pytest.approx(best)
        assert damage[rows, chosen].sum() <= damage[:, uniform(sizes, budget)].sum() * (1 + 1e-9)


def test_uniform_is_the_last_that_fits():
    _, sizes = problem(0)
    assert uniform(sizes, sizes[:, 2].sum()) == 2 and uniform(sizes, sizes[:, 2].sum() - 1) == 1


def test_a_budget_that_cannot_be_met_is_refused():
    damage, sizes = problem(0)
    with pytest.raises(ValueError, match="the smallest choices have"):
        choose_bits(damage, sizes, sizes[:, 0].sum() - 1)
