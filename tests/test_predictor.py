"""From logits to answers, for each form of answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import decide, to_predictions
from leanformer.errors import DataError
from leanformer.metrics.probabilities import sigmoid
from leanformer.questions import check_texts
from leanformer.task import Task

LOGITS = np.array([[2.0, -1.0, 0.1], [-3.0, -0.5, -0.4]], dtype=np.float32)
ABC = ("a", "b", "c")


def test_one_label() -> None:
    first, second = to_predictions(LOGITS, Task("pair", ABC))
    assert (first.label, second.label) == ("a", "c")
    assert sum(first.probabilities.values()) == pytest.approx(1)
    assert first.labels is None and first.score is None


def test_any_number_of_labels_by_their_thresholds() -> None:
    halves = to_predictions(LOGITS, Task("multilabel", ABC))
    assert [half.labels for half in halves] == [("a", "c"), ()]
    assert halves[0].label is None
    assert halves[0].probabilities["b"] == pytest.approx(1 / (1 + np.e))
    own = Task("multilabel", ABC, thresholds=(0.9, 0.2, 0.4))
    assert [prediction.labels for prediction in to_predictions(LOGITS, own)] == [("b", "c"), ("b", "c")]
    # Exactly at the threshold a label is given.
    at = Task("multilabel", ("a",), thresholds=(0.5,))
    assert decide(np.zeros((1, 1), np.float32), at).tolist() == [[True]]


def test_a_score_is_on_the_scale_of_the_data() -> None:
    task = Task("similarity", (), scale=(2.5, 1.5))
    assert [prediction.score for prediction in to_predictions(LOGITS[:, :1], task)] == [5.5, -2.0]
    assert [prediction.score for prediction in to_predictions(LOGITS[:, :1], task.question)] == [2.0, -3.0]
    assert to_predictions(LOGITS[:, :1], task)[0].probabilities == {}


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("texts", "kind", "error", "message"),
    [
        ("one text", "classification", TypeError, "wrap one text"),
        ([5], "classification", TypeError, "text 1 is neither"),
        ([("a", "b", "c")], "pair", TypeError, "neither a string nor two"),
        ([("a", None)], "pair", TypeError, "neither a string nor two"),
        (["a", ("a", "b")], "classification", DataError, "text 2 is a pair"),
        ([("a", "b"), "a"], "pair", DataError, "text 2 is a single text"),
    ],
)
def test_what_is_no_input_of_the_task_is_refused(texts: Any, kind: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        check_texts(texts, Task(kind, ABC))
    check_texts(["a"], Task("classification", ABC))
    check_texts([("a", "b"), ["c", "d"]], Task("pair", ABC))  # type: ignore[list-item]
