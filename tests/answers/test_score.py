"""Scores as answers."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.forms import decide
from leanformer.answers.score import SCORE
from leanformer.task import Task

SCORES = np.array([1.0, 3.0, 5.0])


def test_what_is_learnt_comes_back_on_the_scale_of_the_data() -> None:
    task = SCORE.before_training(Task("regression", ()), SCORES)
    assert task.scale == pytest.approx((3.0, np.sqrt(8 / 3)))
    learnt = SCORE.learnt(SCORES, task)
    assert (learnt.mean(), learnt.std()) == pytest.approx((0, 1), abs=1e-6)
    assert decide(learnt[:, None], task) == pytest.approx(SCORES, abs=1e-6)


def test_equal_scores_have_a_scale_too() -> None:
    task = SCORE.before_training(Task("regression", ()), np.array([2.0, 2.0]))
    assert task.scale == (2.0, 1.0)


def test_without_a_scale_a_logit_is_the_score() -> None:
    task = Task("regression", ())
    assert decide(SCORES[:, None], task).tolist() == SCORES.tolist() == SCORE.learnt(SCORES, task).tolist()
