"""Rows sampled by language."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.train.encoded import GROUP
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_group import drawn_by_group, feed_of
from leanformer.train.settings import FitSettings

GROUPS = np.array([0] * 900 + [1] * 90 + [2] * 10)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0, 1e9])
def test_shares_are_the_roots_of_the_sizes(temperature: float) -> None:
    drawn = drawn_by_group(GROUPS, temperature, np.random.default_rng(1))
    sizes = np.array([900, 90, 10])
    expected = 1000 * sizes ** (1 / temperature) / (sizes ** (1 / temperature)).sum()
    found = np.bincount(GROUPS[drawn])
    assert found.sum() == 1000 and (np.abs(found - expected) < 1).all()
    # No row of a language comes a second time before all of it came once.
    times = np.bincount(drawn, minlength=1000)
    for group in range(3):
        own = times[group == GROUPS]
        assert own.max() - own.min() <= 1


def test_a_language_without_rows_has_no_share() -> None:
    drawn = drawn_by_group(np.array([0, 2, 2, 2]), 100.0, np.random.default_rng(1))
    assert len(drawn) == 4 and set(np.array([0, 2, 2, 2])[drawn]) == {0, 2}


def test_an_epoch_at_temperature_one_is_what_it_was_without_languages() -> None:
    rows = [np.zeros(1 + i % 7, np.int32) for i in range(1000)]
    plain, grouped = (TrainingSet(rows, np.zeros(1000), 0, extra) for extra in ({}, {GROUP: GROUPS}))
    for temperature in (1.0, 3.0):
        settings = FitSettings(batch_size=32, seed=3, language_temperature=temperature)
        steps, others = (feed_of(data, settings).steps(1) for data in (plain, grouped))
        assert len(steps) == len(others)
        assert sorted(np.concatenate(steps)) == list(range(1000))
        same = all(np.array_equal(a, b) for a, b in zip(steps, others, strict=True))
        assert same == (temperature == 1.0)
    again = feed_of(grouped, settings).steps(1)
    assert all(np.array_equal(a, b) for a, b in zip(others, again, strict=True))
