"""Any number of labels as an answer."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.any_labels import ANY_LABELS
from leanformer.answers.forms import changed, decide
from leanformer.task import Task

TASK = Task("multilabel", ("a", "b"), thresholds=(0.2, 0.9))
# Probabilities 0.5 and 0.5, 0.12 and 0.95, 0.27 and 0.88.
LOGITS = np.array([[0.0, 0.0], [-2.0, 3.0], [-1.0, 2.0]])


def test_each_label_applies_from_its_own_threshold_on() -> None:
    assert decide(LOGITS, TASK).tolist() == [[True, False], [False, True], [True, False]]
    said = ANY_LABELS.predictions(LOGITS, ["x", "y", "z"], TASK)
    assert [prediction.labels for prediction in said] == [("a",), ("b",), ("a",)]
    plain = Task("multilabel", ("a", "b"))
    assert decide(LOGITS, plain).tolist() == [[True, True], [False, True], [False, True]]


def test_a_row_has_changed_where_one_of_its_labels_has() -> None:
    other = LOGITS + np.array([[0, 9], [0, 0], [-9, 9]])
    assert changed(other, LOGITS, TASK).tolist() == [True, False, True]
    ours, theirs = decide(other, TASK), decide(LOGITS, TASK)
    assert ANY_LABELS.same(ours, theirs) == pytest.approx(1 / 3)
    assert ANY_LABELS.flipped(ours, theirs) == pytest.approx(2 / 3)


def test_dev_chooses_the_thresholds() -> None:
    """Label a applies from a logit of -1 on, b from 2 on."""
    logits = np.repeat([[-3.0, -3.0], [-1.0, 0.0], [0.0, 2.0], [2.0, 3.0]], 5, axis=0)
    targets = np.repeat([[0, 0], [1, 0], [1, 1], [1, 1]], 5, axis=0)
    task = ANY_LABELS.after_training(Task("multilabel", ("a", "b")), logits, targets)
    assert decide(logits, task).astype(int).tolist() == targets.tolist()
