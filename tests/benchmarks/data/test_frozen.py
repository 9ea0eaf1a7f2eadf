"""Rows of the benchmarks of data are drawn alike each time."""

from __future__ import annotations

from benchmarks.data.frozen import drawn


def test_the_same_rows_in_their_order() -> None:
    rows = drawn(100, 30).tolist()
    assert len(set(rows)) == 30 and rows == sorted(rows) and max(rows) < 100 and rows == drawn(100, 30).tolist()
    assert drawn(5, 10**6).tolist() == [0, 1, 2, 3, 4]
