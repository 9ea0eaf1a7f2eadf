"""Quality on clean test, by logits made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.data.leaks import Leaks
from leanformer.measure.clean_quality import clean_quality
from leanformer.measure.quality import measure_quality
from leanformer.task import Task

TASK = Task("classification", ("a", "b", "c"))
LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
TEACHER = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 0])  # 9 of 10, wrong on the last
STUDENT = np.array([0, 0, 0, 1, 1, 0, 0, 2, 2, 0])  # 7 of 10, wrong on 5, 6 and the last


def logits_of(classes: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes] * 5


def rows(*true: int) -> np.ndarray:
    return np.isin(np.arange(10), true)


def clean(leaks: Leaks | None) -> dict[str, float]:
    return clean_quality(logits_of(STUDENT), LABELS, logits_of(TEACHER), TASK, leaks=leaks)


def test_leaked_rows_do_not_count():
    found = clean(Leaks(("train",), rows(0, 1), rows(0, 1, 2, 9)))
    assert found["n_clean"] == 8 and found["quality_clean"] == pytest.approx(5 / 8)
    assert found["drop_clean"] == pytest.approx(2 / 8)
    rest = measure_quality(logits_of(STUDENT[2:]), LABELS[2:], logits_of(TEACHER[2:]), TASK)
    assert (found["drop_clean_low"], found["drop_clean_high"]) == (rest.drop_low, rest.drop_high)
    assert found["drop_clean_low"] < 2 / 8 < found["drop_clean_high"]
    assert found["n_distinct"] == 6 and found["quality_distinct"] == pytest.approx(4 / 6)


def test_without_leaks_it_is_what_all_of_test_has():
    found = clean(Leaks(("train",), rows(), None))
    whole = measure_quality(logits_of(STUDENT), LABELS, logits_of(TEACHER), TASK)
    assert (found["n_clean"], found["quality_clean"]) == (10, whole.quality)
    assert (found["drop_clean"], found["drop_clean_low"], found["drop_clean_high"]) == (
        whole.drop, whole.drop_low, whole.drop_high,
    )  # fmt: skip
    assert "n_distinct" not in found  # near repeats were not looked for


def test_where_nothing_is_known_or_left_nothing_is_said():
    assert clean(None) == {}
    everything = rows(*range(10))
    assert clean(Leaks(("train",), everything, everything)) == {
        "n_clean": 0, "n_distinct": 0, "quality_distinct": None,
    }  # fmt: skip


def test_each_model_is_judged_with_its_own_thresholds():
    ours, theirs = (Task("multilabel", ("a", "b"), thresholds=limits) for limits in ((0.5, 0.5), (0.9, 0.9)))
    logits = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])  # 0.73 and 0.27
    targets = np.array([[1, 0], [0, 1], [1, 1]])
    leaks = Leaks(("train",), np.array([False, False, True]), None)
    found = clean_quality(logits, targets, logits, ours, theirs, leaks=leaks)
    assert found["n_clean"] == 2 and found["quality_clean"] == 1 and found["drop_clean"] == -1
