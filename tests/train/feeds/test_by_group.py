"""Languages drawn more evenly than in proportion to their sizes."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.train.encoded import GROUP
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_group import ByGroup, drawn_by_group
from leanformer.train.feeds.by_length import ByLength

GROUPS = np.array([0] * 90 + [1] * 9 + [3])  # group 2 has no rows


def drawn(temperature: float, seed: int = 0) -> np.ndarray:
    return drawn_by_group(GROUPS, temperature, np.random.default_rng(seed))


def test_a_temperature_of_one_draws_every_row_once():
    assert sorted(drawn(1.0)) == list(range(100))


@pytest.mark.parametrize("temperature", [1.5, 2.0, 5.0, 1e9])
def test_shares_are_those_of_the_sizes_to_the_power(temperature: float):
    counts = np.bincount(GROUPS[drawn(temperature)], minlength=4)
    sizes = np.array([90, 9, 0, 1])
    shares = np.where(sizes > 0, sizes ** (1 / temperature), 0)
    assert counts.sum() == 100 and counts[2] == 0
    assert np.abs(counts - 100 * shares / shares.sum()).max() < 1


def test_rows_are_repeated_evenly_and_left_out_at_random():
    rows = drawn(5.0)
    times = np.bincount(rows, minlength=100)
    assert times[:90].max() == 1, "of the largest group no row is drawn twice"
    assert np.ptp(times[90:99]) <= 1 and times[90:99].min() >= 2
    assert set(rows[rows < 90]) != set((other := drawn(5.0, seed=1))[other < 90])
    assert (rows == drawn(5.0)).all()


def test_a_feed_draws_by_group_within_its_batches():
    data = TrainingSet(
        [np.arange(1 + row % 5) for row in range(100)], np.zeros(100, dtype=np.int64), 0, {GROUP: GROUPS}
    )
    feed = ByGroup(data, 1e9, batch_size=7, seed=3)
    rows = np.concatenate(feed.steps(0))
    assert np.abs(np.bincount(GROUPS[rows], minlength=4)[[0, 1, 3]] - 100 / 3).max() < 1
    assert len(feed.steps(0)) == feed.steps_per_epoch == 15
    assert any((a.shape != b.shape) or (a != b).any() for a, b in zip(feed.steps(0), feed.steps(1), strict=True))
    assert sorted(np.concatenate(ByLength(data, batch_size=7).steps(0))) == list(range(100))
