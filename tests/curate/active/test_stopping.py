"""Stopping: three agreements of .99 on average, not fewer."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.active.stopping import agreements, is_stable


def test_agreements_are_between_successive_rounds() -> None:
    first, second, third = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    assert agreements([first, second, third], 2) == pytest.approx([1, 0])
    assert agreements([first], 2) == [] == agreements([], 2)


@pytest.mark.parametrize(
    ("kappas", "stable"),
    [([], False), ([1, 1], False), ([1, 1, 1], True), ([0.5, 1, 0.98, 0.991], True), ([1, 1, 1, 0.97, 0.99], False)],
)
def test_the_last_three_decide(kappas: list[float], stable: bool) -> None:
    assert is_stable(kappas) is stable
