"""Arrays of arrays: laid end to end, parted again, and filled up to a table."""

from __future__ import annotations

import numpy as np

from leanformer.tagging.ragged import flat, is_ragged, parted, ragged, squared


def test_parts_of_one_length_stay_apart_too():
    for lengths in ((2, 1, 3), (2, 2)):
        values = ragged([np.arange(length) for length in lengths])
        assert is_ragged(values) and values.shape == (len(lengths),)
        assert [len(part) for part in values] == list(lengths)
    assert not is_ragged(np.zeros((2, 2)))


def test_what_is_laid_end_to_end_can_be_parted():
    counts = np.array([2, 0, 3])
    values = parted(np.arange(5.0), counts)
    assert [part.tolist() for part in values] == [[0, 1], [], [2, 3, 4]]
    assert flat(values).tolist() == [0, 1, 2, 3, 4]
    assert parted(np.arange(6).reshape(3, 2), np.array([1, 2]))[1].tolist() == [[2, 3], [4, 5]]
    assert len(parted(np.zeros(0), np.array([], dtype=int))) == 0 and flat(ragged([])).shape == (0,)
    assert flat(np.ones((2, 3))).shape == (2, 3), "another array stays as it is"


def test_rows_are_drawn_as_of_any_array():
    values = ragged([np.array([1]), np.array([2, 3])])
    assert [part.tolist() for part in values[[1, 0, 1]]] == [[2, 3], [1], [2, 3]]


def test_a_table_is_filled_up_behind_each_run():
    assert squared(ragged([np.array([1, 2]), np.array([3])]), -9).tolist() == [[1, 2], [3, -9]]
    assert squared(ragged([]), 0).shape == (0, 0)
