"""Shares of outputs: over the outputs of each row, whatever its company, and without overflow."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.probabilities import sigmoid, softmax, unit_vectors


def test_each_row_sums_to_one_and_is_what_it_is_alone():
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 2.0]]))
    assert softmax(logits) == pytest.approx(np.array([[0.125, 0.25, 0.625], [0.4, 0.4, 0.2]]))
    assert softmax(logits[1]) == pytest.approx(softmax(logits)[1])
    assert softmax(np.array([[1e4, 0.0], [-1e4, 0.0]])).tolist() == [[1, 0], [0, 1]]


def test_a_sigmoid_is_a_half_at_nought_and_ends_at_its_ends():
    assert sigmoid(np.array([0.0, np.log(3), -np.log(3)])) == pytest.approx([0.5, 0.75, 0.25])
    assert sigmoid(np.array([1e4, -1e4])).tolist() == [1, 0]


def test_vectors_of_length_one_and_a_row_of_zeros():
    assert unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))
