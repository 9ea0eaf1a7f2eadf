"""Vectors: of length 1, compared entry by entry, and with no labels."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.form import NEAR
from leanformer.answers.vector import VECTOR
from leanformer.errors import LeanformerError
from leanformer.task import Task

TASK = Task("embedding", (), width=2)


def test_answers_have_length_one():
    values = np.array([[3.0, 4.0], [0.0, -2.0]])
    assert VECTOR.decide(values, TASK).tolist() == [[0.6, 0.8], [0.0, -1.0]]
    first, _ = VECTOR.predictions(values, (), TASK)
    assert first.vector == pytest.approx((0.6, 0.8)) and first.label is None and first.probabilities == {}


def test_a_change_is_clear_from_the_tolerance_on_whatever_the_length():
    reference = np.array([[1.0, 0.0]] * 3)
    angles = np.array([0.5 * NEAR, 1.5 * NEAR, 0.5 * NEAR])
    turned = 7 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert VECTOR.clearly_changed(turned, reference, TASK).tolist() == [False, True, False]


@pytest.mark.parametrize("what", ["score", "estimates", "targets", "check", "draw", "strata", "the_only", "beaten_by"])
def test_whatever_needs_labels_is_refused_with_what_to_do_instead(what: str):
    with pytest.raises(LeanformerError, match=r"no labels .*\n  remedy: leanformer compress --recipe embedder"):
        getattr(VECTOR, what)()
    with pytest.raises(LeanformerError):
        _ = VECTOR.metric
