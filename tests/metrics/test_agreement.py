"""Cohen's kappa: known values, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.agreement import cohen_kappa


def test_the_example_of_a_table() -> None:
    """20 times both say 0, 15 times both 1, 5 and 10 times they differ: observed .7, expected .5, kappa .4."""
    answers = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    others = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert cohen_kappa(answers, others, 2) == pytest.approx(0.4)
    assert cohen_kappa(others, answers, 2) == pytest.approx(0.4)


def test_limits() -> None:
    same = np.array([0, 1, 2, 2])
    assert cohen_kappa(same, same, 3) == 1
    assert cohen_kappa(np.zeros(4, int), np.zeros(4, int), 3) == 1
    assert cohen_kappa(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 2) == 0
    with pytest.raises(ValueError, match="no answers"):
        cohen_kappa(same[:0], same[:0], 3)
