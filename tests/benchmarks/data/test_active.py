"""The comparison of strategies: paired by draw, on planted vectors."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data.active import ARMS, RANDOM, Split, compared, run_arm
from leanformer.curate.active.strategies import STRATEGIES
from tests.curate.active.test_spread import clusters


def split(seed: int) -> Split:
    return Split(clusters(4, 30, 0), np.repeat([0, 1, 2, 3], 30), 4)


def test_every_strategy_is_run_and_learns() -> None:
    assert set(STRATEGIES) == {strategies[1] for strategies in ARMS.values()}
    found = run_arm(split(0), split(0), ARMS["kmeans, then margin"], 4, 16, seed=1)
    assert found["accuracy"] == [1, 1, 1, 1] and found["stop"] == 16
    assert run_arm(split(0), split(0), ARMS["margin"], 4, 12, seed=1)["stop"] is None


def test_arms_of_a_draw_begin_with_the_same_batch() -> None:
    noisy = Split(np.random.default_rng(1).normal(size=(200, 8)), np.arange(200) % 3, 3)
    first = [run_arm(noisy, noisy, ARMS[arm], 20, 40, seed=2)["accuracy"] for arm in (RANDOM, "margin", "badge")]
    assert len({accuracies[0] for accuracies in first}) == 1 and len({accuracies[1] for accuracies in first}) > 1


def test_figures() -> None:
    others = np.array([[50.0, 60, 70], [52, 62, 72]])
    found = compared(others + np.array([[0, 2, 4], [0, 4, 2]]), others, [10, 20, 30], 72)
    assert found["area_minus_random"] == [3, 3, 3] and found["first_minus_random"] == [0, 0, 0]
    assert found["last_minus_random"] == [3, 2, 4] and found["lowest_minus_random"] == 0
    assert found["curve"] == [51, 64, 74] and found["area"] == pytest.approx(69) and found["labels_to_reach"] == 30
    assert compared(others, others, [10, 20, 30], 72)["labels_to_reach"] is None
