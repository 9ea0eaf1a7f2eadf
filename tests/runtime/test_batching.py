"""Which rows go together, and how they are padded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanformer.batching import batches_by_length, pad, pad_block

LENGTHS = st.lists(st.integers(min_value=1, max_value=60), max_size=40)


def rows_of(lengths: list[int]) -> list[np.ndarray]:
    return [np.arange(1, length + 1, dtype=np.int32) for length in lengths]


@settings(deadline=None)  # how fast they are is no matter here
@given(lengths=LENGTHS, budget=st.integers(min_value=1, max_value=200))
def test_every_row_is_in_one_batch_within_the_budget(lengths: list[int], budget: int):
    batches = batches_by_length(rows_of(lengths), budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        width = max(lengths[index] for index in batch)
        assert len(batch) == 1 or width * len(batch) <= budget
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(flat), "rows of similar length go together"


@settings(deadline=None)
@given(lengths=LENGTHS, budget=st.integers(min_value=1, max_value=200))
def test_no_batch_is_left_half_full(lengths: list[int], budget: int):
    """The first row of a batch would not have fitted into the one before it."""
    batches = batches_by_length(rows_of(lengths), budget)
    for before, batch in pairwise(batches):
        assert (len(before) + 1) * lengths[batch[0]] > budget


@given(lengths=LENGTHS)
def test_without_a_budget_rows_go_one_by_one_in_order(lengths: list[int]):
    assert batches_by_length(rows_of(lengths), None) == [[index] for index in range(len(lengths))]


def test_rows_are_padded_at_the_right():
    ids, mask = pad(rows_of([2, 4]), padding_id=9)
    assert ids.tolist() == [[1, 2, 9, 9], [1, 2, 3, 4]]
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert (ids.dtype, mask.dtype) == (np.int64, np.int64)


def test_a_width_may_be_given_and_must_suffice():
    assert pad(rows_of([2]), length=5)[1].tolist() == [[1, 1, 0, 0, 0]]
    with pytest.raises(ValueError, match="cannot pad a row of 4 tokens to 3"):
        pad(rows_of([2, 4]), length=3)


def test_rows_of_pairs_are_padded_with_their_token_types():
    rows = [np.array([[5, 0], [6, 1]], dtype=np.int32), np.array([[7, 0], [8, 0], [9, 1]], dtype=np.int32)]
    block = pad_block(rows, padding_id=3, length=4)
    assert block.ids.tolist() == [[5, 6, 3, 3], [7, 8, 9, 3]]
    assert block.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 0]]
    assert block.types is not None and block.types.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert pad_block([row[:, 0] for row in rows]).types is None
    assert batches_by_length(rows, 4) == [[0], [1]], "a row of a pair is as long as it has tokens"
    with pytest.raises(ValueError):
        pad(rows)  # it cannot hold the types, and must not drop them
