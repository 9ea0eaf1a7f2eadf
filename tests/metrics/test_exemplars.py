"""Texts whose modal answer a compression changes, beyond what other seeds change."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.exemplars import exemplars, modal_answers


def test_the_modal_answer_is_the_most_frequent_and_none_where_two_are():
    answers = np.array([[0, 1, 2, 0], [0, 1, 1, 1], [0, 2, 1, 2]])
    assert modal_answers(answers).tolist() == [0, 1, 1, -1]


def test_rows_that_change_are_counted_beyond_churn():
    uncompressed = np.array([[0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    compressed = np.array([[1, 0, 1, 0], [1, 0, 1, 0]])
    found = exemplars(compressed, uncompressed)
    assert found.rows == (0, 3)
    # Of the three ways to halve four models, the one that answers otherwise makes its half ambiguous: no churn.
    assert found.churn == 0.0 and found.excess == 2.0


def test_churn_of_two_models_is_where_they_differ():
    found = exemplars(np.array([[0, 0, 0]]), np.array([[0, 1, 1], [0, 0, 1]]))
    assert found.rows == (2,), "the second row is ambiguous among the uncompressed"
    assert found.churn == 1.0 and found.excess == 0.0


def test_one_uncompressed_model_says_nothing_of_churn():
    found = exemplars(np.array([[0, 1]]), np.array([[1, 1]]))
    assert found.rows == (0,) and found.churn is None and found.excess is None
    with pytest.raises(ValueError, match="at least one"):
        exemplars(np.zeros((0, 2), dtype=int), np.array([[1, 1]]))
