"""The studentised test: p-values and limits agree, few rows show nothing, and false ships are as rare as stated."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from leanformer.metrics.estimates import Estimate, error_estimate, f1_estimate, rank_estimate
from leanformer.metrics.studentised import FEWEST, StudentisedLoss, loss_of


def drawn(n: int, lost: float, seed: int = 0) -> tuple[Estimate, Estimate]:
    """F1 of a model that loses this share of a perfect reference's rows, of one to three entities."""
    generator = np.random.default_rng(seed)
    there = generator.integers(1, 4, n)
    ours = np.where(generator.random(n) < lost, 0, there)
    return f1_estimate(ours, there, there), f1_estimate(there, there, there)


def test_limits_and_p_values_are_one_test():
    loss = loss_of(*drawn(400, 0.03))
    for confidence in (0.6, 0.9, 0.95, 0.975):
        assert loss.p_below(loss.upper(confidence)) == pytest.approx(1 - confidence, abs=1e-6)
        assert loss.p_above(loss.lower(confidence)) == pytest.approx(1 - confidence, abs=1e-6)
    assert loss.lower(0.95) < loss.value < loss.upper(0.95)
    assert loss.upper(0.95) - loss.value > loss.value - loss.lower(0.95), "losses of whole rows are skewed"


def test_student_s_quantile_is_used():
    """Without skewness and unseen rows: 1.7291 standard errors of 20 rows, and 1.6604 of 100, at 95 %."""
    for units, quantile in ((20, 1.7291), (100, 1.6604)):
        loss = StudentisedLoss(0.0, units, units, square=units**2, cube=-1.0, unseen_square=0.0, unseen_cube=0.0)
        assert loss.upper(0.95) == pytest.approx(quantile, abs=3e-3)
        assert loss.p_below(quantile) == pytest.approx(0.05, abs=2e-4)


def test_identical_answers_show_a_margin_only_with_enough_rows():
    for n, shown in ((100, False), (350, False), (500, True)):
        same = drawn(n, 0.0)[1]
        loss = loss_of(same, same)
        assert loss.value == 0 and (loss.p_below(0.01) <= 0.05) is shown
    fewest = loss.needed(0.01, 0.95, 0.5)
    # Of equal rows it takes sqrt(3) * 1.645 + (2 * 1.645 ** 2 + 1) / 6 = 3.92 to lose one; these are unequal.
    assert fewest is not None and 392 < fewest < 480


def test_too_few_rows_show_nothing():
    model, reference = drawn(FEWEST - 1, 0.5)
    loss = loss_of(model, reference)
    assert (loss.p_below(0.9), loss.p_above(-0.9), loss.upper(0.6), loss.lower(0.6)) == (1, 1, inf, -inf)
    assert loss_of(*drawn(FEWEST, 0.5)).upper(0.6) < 1


def test_rows_of_a_document_are_added_before_they_are_squared():
    model, reference = drawn(400, 0.05)
    single = loss_of(model, reference, np.arange(400))
    assert single.error == pytest.approx(loss_of(model, reference).error)
    order = np.argsort(model.influence)  # documents of rows that are alike
    documents = np.empty(400, int)
    documents[order] = np.arange(400) // 8
    together = loss_of(model, reference, documents)
    assert together.value == single.value and together.units == 50 and together.error > 2 * single.error


def test_what_is_needed_and_what_is_borne():
    loss = loss_of(*drawn(300, 0.02))
    needed = loss.needed(0.05, 0.95, 0.8)
    assert needed is not None
    rates = []
    for n in (needed, needed // 3):
        found = [loss_of(*drawn(n, loss.value, seed)).p_below(0.05) <= 0.05 for seed in range(200)]
        rates.append(np.mean(found))
    assert 0.68 < rates[0] < 0.93 and rates[1] < rates[0] - 0.2
    assert loss.needed(loss.value, 0.95, 0.8) is None
    share = loss.bearable(0.05, 0.95, 0.8)
    assert share is not None and 0.01 < share < 0.2
    assert loss.bearable(0.001, 0.95, 0.8) is None


@pytest.mark.parametrize("figure", [rank_estimate, error_estimate])
def test_a_few_random_scores_ship_falsely_as_rarely_as_stated(figure: object):
    """Of 300 scores the share is random with which a loss of exactly the margin comes; 600 models."""
    generator = np.random.default_rng(11)
    shipped, margin = 0, 0.04
    for _ in range(600):
        true, noise, random = generator.normal(size=(3, 300))
        theirs = true + 0.5 * noise
        # Spearman's correlation is 6 / pi asin(r / 2), and falls by the share; of errors, it is sqrt(2 / pi) spreads.
        whole = 6 / np.pi * np.arcsin(1 / np.sqrt(1.25) / 2)
        lost = margin / (whole if figure is rank_estimate else np.sqrt(2 / np.pi) * (np.sqrt(2.25) - 0.5))
        ours = np.where(generator.random(300) < lost, np.sqrt(1.25) * random, theirs)
        shipped += loss_of(figure(ours, true), figure(theirs, true)).p_below(margin) <= 0.05  # type: ignore[operator]
    assert shipped / 600 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
