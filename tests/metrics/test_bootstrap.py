"""Bootstrap intervals: repeatable, paired where the statistic is, and right about as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.bootstrap import interval


def test_the_same_seed_gives_the_same_interval() -> None:
    right = np.random.default_rng(0).random(200) < 0.8
    one, other, third = (interval(lambda rows: float(right[rows].mean()), 200, seed=seed) for seed in (1, 1, 2))
    assert one == other != third
    assert one[0] < right.mean() < one[1]


def test_coverage() -> None:
    """Of 200 samples of 150 rows, the 90 % interval holds the true share in about 180."""
    generator = np.random.default_rng(4)
    held = 0
    for trial in range(200):
        right = generator.random(150) < 0.7
        low, high = interval(
            lambda rows, right=right: float(right[rows].mean()), 150, resamples=200, confidence=0.9, seed=trial
        )
        held += low <= 0.7 <= high
    assert 165 <= held <= 195


def test_the_width_is_that_of_the_normal_interval() -> None:
    right = np.arange(1000) < 800
    low, high = interval(lambda rows: float(right[rows].mean()), 1000, resamples=4000)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 1000), rel=0.1)
    wider = interval(lambda rows: float(right[rows].mean()), 1000, resamples=4000, confidence=0.99)
    assert wider[0] < low and high < wider[1]


def test_a_paired_difference_is_narrower_than_two_intervals() -> None:
    generator = np.random.default_rng(1)
    one = generator.random(500) < 0.8
    other = one ^ (generator.random(500) < 0.02)  # differs on few rows
    low, high = interval(lambda rows: float(one[rows].mean() - other[rows].mean()), 500)
    alone = interval(lambda rows: float(one[rows].mean()), 500)
    assert high - low < 0.6 * (alone[1] - alone[0])
    assert interval(lambda rows: float(one[rows].mean() - one[rows].mean()), 500) == (0.0, 0.0)


def test_rows_are_drawn_with_replacement() -> None:
    drawn: list[np.ndarray] = []
    interval(lambda rows: float(len(drawn.append(rows) or rows)), 30, resamples=50)
    assert len(drawn) == 50 and all(len(rows) == 30 and set(rows) <= set(range(30)) for rows in drawn)
    assert max(len(set(rows)) for rows in drawn) < 30
    assert len({tuple(rows) for rows in drawn}) == 50


def test_no_rows() -> None:
    with pytest.raises(ValueError, match="no rows"):
        interval(lambda rows: 0.0, 0)
