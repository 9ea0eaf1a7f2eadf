"""Exact binomial probabilities and Clopper-Pearson limits, beside fractions and scipy's."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from leanformer.metrics.binomial import at_most, binomial_pmf, log_factorials, lower_limit, upper_limit


@pytest.mark.parametrize(
    ("n", "p"), [(0, Fraction(1, 2)), (1, Fraction(1, 3)), (7, Fraction(1, 5)), (30, Fraction(9, 10))]
)
def test_probabilities_are_those_of_whole_numbers(n: int, p: Fraction):
    exact = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    assert binomial_pmf(n, float(p)) == pytest.approx([float(share) for share in exact], rel=1e-12)
    for k in range(n + 1):
        assert at_most(k, n, float(p)) == pytest.approx(float(sum(exact[: k + 1])), rel=1e-12)


def test_what_is_certain_is_certain():
    assert binomial_pmf(3, 0).tolist() == [1, 0, 0, 0] and binomial_pmf(3, 1).tolist() == [0, 0, 0, 1]
    assert at_most(3, 3, 0.5) == at_most(9, 3, 0.5) == 1.0 and at_most(2, 3, 1.0) == 0.0


def test_limits_are_clopper_and_pearsons():
    from scipy.stats import beta

    for k, n, confidence in ((0, 10, 0.95), (3, 10, 0.95), (9, 10, 0.9), (250, 1000, 0.99)):
        assert upper_limit(k, n, confidence) == pytest.approx(beta.ppf(confidence, k + 1, n - k), abs=1e-9)
        if k:
            assert lower_limit(k, n, confidence) == pytest.approx(beta.ppf(1 - confidence, k, n - k + 1), abs=1e-9)
    assert upper_limit(5, 5, 0.95) == 1.0 and lower_limit(0, 5, 0.95) == 0.0
    assert upper_limit(0, 59, 0.95) < 0.05 < upper_limit(0, 58, 0.95), "the rule of 59"


def test_a_limit_is_where_so_few_would_be_rare():
    for k in range(10):
        assert at_most(k, 10, upper_limit(k, 10, 0.95)) == pytest.approx(0.05, abs=1e-12)


def test_shared_logarithms_cannot_be_written_to():
    assert np.exp(log_factorials(5)) == pytest.approx([1, 1, 2, 6, 24, 120])
    with pytest.raises(ValueError, match="read-only"):
        log_factorials(5)[0] = 1.0
