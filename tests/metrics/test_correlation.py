"""Correlations against scipy and in the cases where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.forms import metric_name, score_logits
from leanformer.metrics.correlation import mean_absolute_error, pearson, spearman
from leanformer.task import Task


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_against_scipy_with_and_without_ties(digits: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(digits)
    scores = np.round(generator.normal(size=80) * 2, digits)
    predicted = np.round(scores + generator.normal(size=80), digits)
    assert pearson(predicted, scores) == pytest.approx(stats.pearsonr(predicted, scores).statistic)
    assert spearman(predicted, scores) == pytest.approx(stats.spearmanr(predicted, scores).statistic)


def test_a_constant_goes_along_with_nothing() -> None:
    scores = np.arange(5.0)
    for constant in (0.0, 0.1, 1e9 + 0.1):
        with np.errstate(all="raise"):
            assert pearson(np.full(5, constant), scores) == spearman(np.full(5, constant), scores) == 0
    assert pearson(np.zeros(1), np.zeros(1)) == 0


def test_order_alone_and_distance() -> None:
    scores = np.array([0.0, 1, 2, 3, 10])
    assert spearman(scores**3, scores) == 1 > pearson(scores**3, scores)
    assert spearman(-scores, scores) == -1
    assert pearson(5 - 2 * scores, scores) == pytest.approx(-1)
    assert mean_absolute_error(scores + np.array([1, -1, 0, 0, 3]), scores) == 1


def test_the_one_figure_of_each_form_of_answer() -> None:
    logits = np.array([[1.0, -1], [2, 3], [-1, 4]], dtype=np.float32)
    assert score_logits(logits, np.array([0, 1, 0]), Task("pair", ("a", "b"))) == pytest.approx(2 / 3)
    several = Task("multilabel", ("a", "b"))
    targets = np.array([[1, 0], [1, 1], [1, 1]])
    assert score_logits(logits, targets, several) == pytest.approx(2 * 4 / (4 + 5))
    # A low threshold gives "a" to the third too.
    assert score_logits(logits, targets, Task("multilabel", ("a", "b"), thresholds=(0.2, 0.5))) == 1
    score = Task("similarity", (), scale=(3.0, 2.0))
    assert score_logits(logits[:, 1:], np.array([1.0, 2, 5]), score) == pytest.approx(1)
    assert [metric_name(task) for task in (several, score)] == ["micro-F1", "Spearman correlation"]
