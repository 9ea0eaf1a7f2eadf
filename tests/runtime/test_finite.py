"""The first value that is infinite or not a number is found, and finite values whose sum overflows pass."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from leanformer.runtime.finite import first_not_finite


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_first_wrong_value_is_named(wrong: float):
    values = np.ones((3, 4), dtype=np.float32)
    values[1, 2] = values[2, 0] = wrong
    assert first_not_finite(values) == (1, 2)


def test_infinities_that_cancel_are_found():
    assert first_not_finite(np.array([1.0, np.inf, -np.inf])) == (1,)


def test_finite_values_pass_also_where_their_sum_does_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert first_not_finite(np.full((2, 3), 3e38, dtype=np.float32)) is None
        assert first_not_finite(np.zeros((0, 3))) is None
