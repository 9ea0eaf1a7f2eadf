"""Rows that hold the ids of several tokenizers: joined, sent as one array, and split again."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.cascade.rows import join, split


@pytest.mark.parametrize("shape", [(), (2,)])
def test_what_is_joined_can_be_split(shape: tuple[int, ...]):
    parts = [np.arange(np.prod((length, *shape)), dtype=np.int32).reshape(length, *shape) for length in (3, 1, 5)]
    row = join(parts)
    assert row.shape == (3 + 9, *shape) and row.dtype == np.int32
    assert [part.tolist() for part in split(row, 3)] == [part.tolist() for part in parts]


def test_the_row_of_one_tokenizer_is_its_ids():
    ids = np.array([5, 6])
    assert join([ids]) is ids and split(ids, 1)[0] is ids


@pytest.mark.parametrize("row", [[1], [1, 2, 7], [1, 1, 7], [2, 1, 7, 8], [-1, 2, 7], [2, 1, 7, 8, 9, 9]])
def test_a_row_that_was_not_joined_is_refused(row: list[int]):
    with pytest.raises(ValueError, match=f"a row of {len(row)} numbers does not hold the ids of 2 tokenizers"):
        split(np.array(row), 2)
