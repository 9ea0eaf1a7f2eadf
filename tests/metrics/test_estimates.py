"""Estimates: their values are those of the metrics, and their influences are derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from leanformer.metrics.correlation import mean_absolute_error, spearman
from leanformer.metrics.estimates import Estimate, error_estimate, f1_estimate, rank_estimate, ratio, share
from leanformer.metrics.multilabel import mean_label_f1, micro_f1

GENERATOR = np.random.default_rng(7)
TARGETS = (GENERATOR.random((60, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(int)
GIVEN = np.where(GENERATOR.random((60, 4)) < 0.8, TARGETS, 1 - TARGETS)
SCORES = GENERATOR.normal(size=60).round(1)
GUESSED = (SCORES + GENERATOR.normal(size=60)).round(1)


def macro(given: np.ndarray, true: np.ndarray) -> Estimate:
    return f1_estimate(given & true, given, true)


def micro(given: np.ndarray, true: np.ndarray) -> Estimate:
    return f1_estimate(*(part.sum(axis=1) for part in (given & true, given, true)))


@pytest.mark.parametrize(
    ("estimate", "score", "answers", "targets"),
    [
        (micro, micro_f1, GIVEN, TARGETS),
        (macro, mean_label_f1, GIVEN, TARGETS),
        (rank_estimate, spearman, GUESSED, SCORES),
        (error_estimate, lambda a, b: -mean_absolute_error(a, b), GUESSED, SCORES),
        (lambda a, b: share(a == b), lambda a, b: float((a == b).mean()), GIVEN[:, 0], TARGETS[:, 0]),
    ],
)
def test_the_value_is_the_metric_and_the_influence_its_derivative(
    estimate: Callable[[np.ndarray, np.ndarray], Estimate],
    score: Callable[[np.ndarray, np.ndarray], float],
    answers: np.ndarray,
    targets: np.ndarray,
):
    found = estimate(answers, targets)
    assert found.value == pytest.approx(score(answers, targets))
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)
    # One row once more among a thousand copies of all.
    copies = np.tile(np.arange(60), 1000)
    for row in (0, 7, 33):
        rows = np.append(copies, row)
        derivative = (score(answers[rows], targets[rows]) - found.value) * len(rows)
        assert derivative == pytest.approx(found.influence[row], rel=1e-2, abs=1e-2)


def test_the_worth_of_the_rows_is_what_a_perfect_answer_has():
    assert micro(TARGETS, TARGETS).worth.mean() == pytest.approx(1)
    assert macro(TARGETS, TARGETS).worth.mean() == pytest.approx(1)
    assert share(np.ones(5, bool)).worth.tolist() == [1] * 5
    lost = rank_estimate(SCORES, SCORES).worth ** 2
    shuffled = np.mean([(_ranks(SCORES) - np.roll(_ranks(SCORES), k)) * _ranks(SCORES) for k in range(60)], axis=0)
    assert lost.mean() > np.mean(shuffled**2), "a mean square is at least the square of the mean"


def _ranks(values: np.ndarray) -> np.ndarray:
    ranks = values.argsort().argsort() - (len(values) - 1) / 2
    return np.asarray(ranks / ranks.std())


def test_only_the_share_of_right_rows_counts_rows():
    true = np.array([1, 0, 1, 1, 0])
    recall = ratio(np.array([1, 0, 0, 1, 0]), true, true)
    assert recall.counted is not None and recall.counted.tolist() == [True, False, True, True, False]
    assert recall.value == pytest.approx(2 / 3)
    assert ratio(true, 2 * true, 2 * true).counted is None, "several in a row"
    assert f1_estimate(true, true, true).counted is None and error_estimate(true, true).counted is None


def test_columns_that_nothing_can_be_lost_in_are_left_out():
    right, total, perfect = np.array([[1, 0], [0, 0]]), np.array([[1, 1], [1, 0]]), np.array([[1, 0], [1, 0]])
    assert ratio(right, total, perfect).value == 0.5
    nothing = ratio(right, total, 0 * perfect)
    assert (nothing.value, nothing.influence.tolist(), nothing.worth.tolist()) == (0.0, [0, 0], [0, 0])


def test_a_constant_has_no_correlation():
    for scores, other in ((np.ones(20), SCORES[:20]), (SCORES[:20], np.ones(20))):
        estimate = rank_estimate(scores, other)
        assert estimate.value == 0 and not estimate.influence.any()
