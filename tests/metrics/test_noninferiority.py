"""The non-inferiority test against brute force: the statistic, the p-value, and above all the rate of false proof."""

from __future__ import annotations

from itertools import product
from math import factorial, log
from statistics import NormalDist

import numpy as np
import pytest

from leanformer.metrics.noninferiority import (
    GAMMA,
    ExactLoss,
    fewest_texts,
    loss_limit,
    noninferiority_p,
    tango_score,
    texts_needed,
)


def outcomes(n: int) -> list[tuple[int, int]]:
    return [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]


def probability(b: int, c: int, n: int, p10: float, p01: float) -> float:
    ways = factorial(n) // (factorial(b) * factorial(c) * factorial(n - b - c))
    return float(ways * p10**b * p01**c * max(0.0, 1 - p10 - p01) ** (n - b - c))


def shipped(n: int, margin: float, alpha: float) -> list[tuple[int, int]]:
    return [(b, c) for b, c in outcomes(n) if noninferiority_p(b, c, n, margin) <= alpha]


def score(b: int, c: int, n: int, margin: float) -> float:
    return float(tango_score(np.array(b), np.array(c), n, margin))


@pytest.mark.parametrize(
    ("b", "c", "n", "margin"), [(3, 5, 40, 0.1), (0, 0, 30, 0.05), (9, 1, 50, 0.02), (2, 7, 60, -0.1)]
)
def test_the_score_uses_the_most_likely_nuisance_on_the_boundary(b: int, c: int, n: int, margin: float):
    """Tango's closed form against a search over the restricted likelihood."""
    p01 = np.linspace(max(0.0, -margin), (1 - margin) / 2, 200_001)[1:-1]
    likelihood = b * np.log(p01 + margin) + c * np.log(p01) + (n - b - c) * np.log(1 - 2 * p01 - margin)
    best = float(p01[likelihood.argmax()])
    expected = (b - c - n * margin) / np.sqrt(n * (2 * best + margin * (1 - margin)))
    assert score(b, c, n, margin) == pytest.approx(expected, abs=1e-4)


def test_losing_and_gaining_are_mirror_images():
    assert score(7, 3, 90, 0.02) == pytest.approx(-score(3, 7, 90, -0.02))
    assert score(0, 0, 90, 0.0) == 0


@pytest.mark.parametrize(
    ("b", "c", "n", "margin"), [(0, 0, 25, 0.1), (1, 3, 25, 0.1), (4, 1, 25, 0.2), (0, 2, 12, 0.05)]
)
def test_the_p_value_is_the_largest_tail_over_the_nuisance(b: int, c: int, n: int, margin: float):
    """Against the sum over all outcomes, maximised over all nuisance values: at most GAMMA more, and never zero less
    than the maximum inside the nuisance's interval."""
    region = [(x, y) for x, y in outcomes(n) if score(x, y, n, margin) <= score(b, c, n, margin) + 1e-9]
    grid = np.linspace(0, (1 - margin) / 2, 150)
    tails = [sum(probability(x, y, n, p + margin, p) for x, y in region) for p in grid]
    p = noninferiority_p(b, c, n, margin)
    assert p <= max(tails) + GAMMA + 1e-3  # what lies between two points of the grid
    at_estimate = sum(probability(x, y, n, c / n + margin, c / n) for x, y in region)
    assert p >= at_estimate


@pytest.mark.parametrize(("n", "margin", "alpha"), [(14, 0.2, 0.05), (25, 0.1, 0.05)])
def test_false_proof_is_never_more_frequent_than_stated(n: int, margin: float, alpha: float):
    """Exact, not simulated: the chance to ship under every hypothesis on a grid of the boundary and beyond."""
    region = shipped(n, margin, alpha)
    b, c = (np.array(column) for column in zip(*region, strict=True))
    ways = np.array([log(factorial(n)) - log(factorial(x) * factorial(y) * factorial(n - x - y)) for x, y in region])
    worst = 0.0
    for loss, p01 in product((margin, margin + 0.02, margin + 0.1), np.linspace(0, 0.4, 161)):
        p10 = p01 + loss
        if p10 + p01 >= 1:
            continue
        logs = ways + b * log(p10) + np.where(c > 0, c * log(max(p01, 1e-300)), 0) + (n - b - c) * log(1 - p10 - p01)
        worst = max(worst, float(np.exp(logs).sum()))
    assert worst <= alpha
    assert worst > alpha / 3, "so cautious that it would be of no use"


def test_the_normal_approximation_alone_would_ship_too_often():
    """Why the exact test is there: with few differing texts Tango's approximation exceeds its 5 %."""
    n, margin = 25, 0.1
    limit = NormalDist().inv_cdf(0.05)
    region = [(b, c) for b, c in outcomes(n) if score(b, c, n, margin) <= limit]
    worst = max(sum(probability(b, c, n, p + margin, p) for b, c in region) for p in np.linspace(0, 0.45, 46))
    assert worst > 0.055


@pytest.mark.parametrize("n", [10, 16])
def test_more_gained_or_fewer_lost_is_never_held_against_a_model(n: int):
    """Barnard's convexity, on which the restriction to the boundary rests."""
    table = {(b, c): noninferiority_p(b, c, n, 0.1) for b, c in outcomes(n)}
    for (b, c), p in table.items():
        for better in ((b - 1, c), (b, c + 1), (b - 1, c + 1)):
            if better in table:
                assert score(*better, n, 0.1) <= score(b, c, n, 0.1) + 1e-12
                assert table[better] <= p + 0.01


def test_identical_answers_prove_by_their_number_alone():
    n = fewest_texts(0.01, 0.95)
    assert n == 299, "the rule of three, exactly"
    assert noninferiority_p(0, 0, n, 0.01) <= 0.05 < noninferiority_p(0, 0, n - 1, 0.01)
    assert noninferiority_p(0, 0, 100, 0.01) == pytest.approx(0.99**100 + GAMMA, abs=1e-6)


def test_the_limit_is_where_the_test_turns():
    limit = loss_limit(6, 4, 500, 0.95)
    assert noninferiority_p(6, 4, 500, limit) <= 0.05 < noninferiority_p(6, 4, 500, limit - 2e-4)
    assert loss_limit(0, 0, 299, 0.95) == pytest.approx(0.01, abs=2e-4)
    assert loss_limit(0, 30, 500, 0.95) < 0, "a better model has a negative limit"


def test_many_differing_texts_fall_back_smoothly():
    """Just below and above the switch to the normal approximation the p-values agree."""
    exact = noninferiority_p(1020, 980, 40_000, 0.004)
    approximate = noninferiority_p(1021, 980, 40_000, 0.004)
    assert exact == pytest.approx(approximate, abs=0.003)


def test_texts_needed_is_what_the_power_says():
    """Against the exact power at the number it names."""
    assert texts_needed(0.01, 0.03, 0.01, confidence=0.95) is None
    assert texts_needed(0.0, 0.0, 0.01, confidence=0.95) == 299
    n = texts_needed(0.01, 0.03, 0.06, confidence=0.95)
    assert n is not None
    likely = [(b, c) for b, c in outcomes(14) if probability(b, c, n, 0.02, 0.01) > 1e-6]
    power = sum(probability(b, c, n, 0.02, 0.01) for b, c in likely if noninferiority_p(b, c, n, 0.06) <= 0.05)
    assert 0.65 < power < 0.95


def test_impossible_counts_are_refused():
    for lost, gained, n, margin in [(-1, 0, 5, 0.1), (3, 3, 5, 0.1), (0, 0, 0, 0.1), (0, 0, 5, 1.0)]:
        with pytest.raises(ValueError):
            noninferiority_p(lost, gained, n, margin)


def test_a_loss_is_within_its_limits_and_tested_both_ways():
    loss = ExactLoss(12, 4, 200)
    assert loss.lower(0.95) < loss.value == 0.04 < loss.upper(0.95)
    assert loss.p_below(loss.upper(0.95)) == pytest.approx(0.05, abs=2e-3)
    assert loss.p_above(loss.lower(0.95)) == pytest.approx(0.05, abs=4e-3)
    assert loss.p_below(0.01) == noninferiority_p(12, 4, 200, 0.01)


def test_nothing_lost_is_never_shown_to_be_more_than_a_margin():
    """With so few differing texts the boundary of the hypothesis is out of reach, which is no evidence against it."""
    assert ExactLoss(0, 0, 100).p_above(0.1) == 1 and ExactLoss(2, 1, 100).p_above(0.2) == 1
    assert ExactLoss(30, 0, 100).p_above(0.1) < 0.01


def test_no_texts_show_nothing():
    nothing = ExactLoss(0, 0, 0)
    assert (nothing.value, nothing.p_below(0.5), nothing.p_above(0.5)) == (0, 1, 1)
    assert (nothing.lower(0.95), nothing.upper(0.95), nothing.bearable(0.05, 0.95, 0.8)) == (-1, 1, None)
    assert nothing.needed(0.05, 0.95, 0.8) == 59
