"""Packs: every row is in one line, nothing is lost, and little is filled up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanformer.runtime.packing import fill_lines, pack

LENGTHS = st.lists(st.integers(min_value=1, max_value=60), max_size=60)
BUDGETS = st.integers(min_value=1, max_value=300)


def rows_of(lengths: list[int]) -> list[np.ndarray]:
    return [np.arange(100 * i, 100 * i + length, dtype=np.int32) for i, length in enumerate(lengths)]


@settings(deadline=None)
@given(lengths=LENGTHS, budget=BUDGETS, fixed=st.none() | st.integers(min_value=1, max_value=80))
def test_every_row_is_in_one_line_within_the_budget(lengths: list[int], budget: int, fixed: int | None):
    packs = fill_lines(lengths, budget, fixed)
    assert sorted(i for lines in packs for line in lines for i in line) == list(range(len(lengths)))
    for lines in packs:
        width = max(max(lengths[i] for line in lines for i in line), fixed or 0)
        assert all(0 < sum(lengths[i] for i in line) <= width for line in lines)
        assert len(lines) == 1 or width * len(lines) <= budget


@settings(deadline=None)
@given(lengths=LENGTHS, budget=BUDGETS)
def test_no_row_that_is_left_would_have_fitted(lengths: list[int], budget: int):
    """Best fit: whatever comes in a later line is too long for the room in this one."""
    lines = [
        (line, max(lengths[i] for row in part for i in row)) for part in fill_lines(lengths, budget) for line in part
    ]
    for place, (line, width) in enumerate(lines):
        room = width - sum(lengths[i] for i in line)
        assert all(lengths[i] > room for later, _ in lines[place + 1 :] for i in later)


def test_many_texts_leave_little_room():
    lengths = np.clip(np.random.default_rng(0).lognormal(3.1, 0.5, size=2000), 4, 128).astype(int).tolist()
    packs = fill_lines(lengths, 192)
    size = sum(len(lines) * max(sum(lengths[i] for i in line) for line in lines) for lines in packs)
    assert sum(lengths) / size > 0.98


@settings(deadline=None)
@given(lengths=LENGTHS.filter(bool), budget=BUDGETS)
def test_a_pack_tells_whose_each_token_is(lengths: list[int], budget: int):
    rows = rows_of(lengths)
    for lines in fill_lines(lengths, budget):
        one = pack(rows, lines)
        order = [i for line in lines for i in line]
        assert one.ids.shape == one.positions.shape == one.segments.shape and len(one.first) == len(order)
        for number, i in enumerate(order):
            mine = one.segments == number
            assert one.ids[mine].tolist() == rows[i].tolist()
            assert one.positions[mine].tolist() == list(range(lengths[i]))
            assert np.flatnonzero(mine.ravel())[0] == one.first[number]
            assert mine.any(axis=1).sum() == 1, "a sequence stands in one line"
        assert (one.segments == -1).sum() == one.ids.size - sum(lengths[i] for i in order)


def test_what_does_not_fit_is_refused():
    rows = rows_of([3, 4])
    assert pack(rows, [[0, 1]], 9).segments.tolist() == [[0, 0, 0, 1, 1, 1, 1, -1, -1]]
    with pytest.raises(ValueError, match="do not fit"):
        pack(rows, [[0, 1]], 6)
    with pytest.raises(ValueError, match="empty"):
        pack([np.zeros(0, np.int32), rows[0]], [[0, 1]])
