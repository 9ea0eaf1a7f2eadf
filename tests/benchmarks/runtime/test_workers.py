"""What is stored of one arrangement of workers."""

from __future__ import annotations

import pytest

from benchmarks.runtime.workers import arrangement


def test_ratios_are_those_of_the_same_rounds():
    row = arrangement("two", [180.0, 100.0, 200.0], [100.0, 50.0, 110.0], 2)
    assert row["texts_per_second"] == 180 and row["speedup"] == pytest.approx(200 / 110)
    assert row["speedup_quartiles"] == pytest.approx([(1.8 + 200 / 110) / 2, (2.0 + 200 / 110) / 2])
    assert not row["beyond_cores"]


def test_more_than_there_are_cores_is_said_to_be_noise():
    assert arrangement("two", [270.0, 280.0], [100.0, 100.0], 2)["beyond_cores"]
    assert not arrangement("three", [270.0, 280.0], [100.0, 100.0], 3)["beyond_cores"]
