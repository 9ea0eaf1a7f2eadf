"""Three measures of confidence, by hand, and the area under the curve of risk."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.cascade.confidence import MEASURES, area_under_risk, confidence

SHARES = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [1 / 3, 1 / 3, 1 / 3]])


def test_measures_are_those_of_the_probabilities():
    logits = np.log(SHARES) + np.array([[5.0], [-3.0], [0.0]])  # a constant in a row changes nothing
    assert confidence(logits, "probability") == pytest.approx([0.7, 0.4, 1 / 3])
    assert confidence(logits, "margin") == pytest.approx([0.5, 0.0, 0.0], abs=1e-12)
    entropy = 1 + (SHARES * np.log(SHARES)).sum(axis=1) / np.log(3)
    assert confidence(logits, "entropy") == pytest.approx(entropy, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_temperature_above_one_makes_less_sure_and_large_logits_do_not_overflow(measure: str):
    logits = np.array([[2.0, 0.0, -1.0]], dtype=np.float32)
    assert confidence(logits, measure, 2.0)[0] < confidence(logits, measure)[0] < confidence(logits, measure, 0.5)[0]
    assert confidence(np.array([[1e30, 0.0]], dtype=np.float32), measure).tolist() == [1.0]


def test_with_two_classes_all_rank_alike():
    logits = np.random.default_rng(0).normal(size=(50, 2))
    orders = {tuple(np.argsort(confidence(logits, measure))) for measure in MEASURES}
    assert len(orders) == 1


def test_risk_is_the_mean_of_the_shares_of_wrong_answers_among_the_surest():
    wrong = np.array([False, True, False, True])
    # Surest first: right, right, wrong, wrong.
    assert area_under_risk(np.array([0.9, 0.2, 0.8, 0.3]), wrong) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert area_under_risk(np.array([0.1, 0.9, 0.2, 0.8]), wrong) == pytest.approx((1 + 1 + 2 / 3 + 2 / 4) / 4)
    assert area_under_risk(np.ones(4), wrong) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4), "ties in order"
