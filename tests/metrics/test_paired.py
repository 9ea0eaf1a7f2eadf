"""Paired counts, exact tails and McNemar's test against scipy; intervals against what they must contain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leanformer.metrics.binomial import at_most, binomial_pmf, lower_limit, upper_limit
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.paired import Paired, compare, loss_interval, mcnemar


@pytest.mark.parametrize(
    ("k", "n", "p"), [(0, 10, 0.3), (3, 10, 0.3), (10, 10, 0.3), (40, 1821, 0.03), (2, 7, 0.0), (2, 7, 1.0)]
)
def test_tails_equal_scipys(k: int, n: int, p: float):
    assert at_most(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-9)
    assert binomial_pmf(n, p) == pytest.approx(stats.binom.pmf(np.arange(n + 1), n, p), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 20), (7, 20), (20, 20), (55, 1821)])
def test_limits_equal_clopper_and_pearsons(k: int, n: int):
    exact = stats.binomtest(k, n)
    assert upper_limit(k, n, 0.975) == pytest.approx(exact.proportion_ci(method="exact").high, abs=1e-9)
    assert lower_limit(k, n, 0.975) == pytest.approx(exact.proportion_ci(method="exact").low, abs=1e-9)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (5, 5), (10, 2), (2, 10), (0, 6), (30, 41)])
def test_mcnemar_is_the_binomial_test(lost: int, gained: int):
    expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert mcnemar(lost, gained) == pytest.approx(expected)


def test_counts_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 2])
    reference = np.array([0, 0, 1, 1, 2, 0])
    ours = np.array([0, 1, 0, 1, 0, 1])
    found = compare(ours, reference, labels)
    assert found == Paired(n=6, lost=1, gained=1, changed=4)
    assert found.loss == 0
    with pytest.raises(ValueError):
        compare(ours[:0], reference[:0], labels[:0])


def test_the_interval_is_that_of_resampled_texts():
    paired = Paired(n=400, lost=30, gained=18, changed=60)
    difference = np.zeros(400)
    difference[:30], difference[30:48] = 1, -1
    slow = interval(lambda rows: float(difference[rows].mean()), 400, resamples=10_000)
    assert loss_interval(paired) == pytest.approx(slow, abs=0.003)
    assert loss_interval(Paired(400, 0, 0, 3)) == (0, 0)
