"""A single label: probabilities, figures and near ties, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.form import NEAR
from leanformer.answers.one_label import ONE_LABEL
from leanformer.task import Task

TASK = Task("classification", ("a", "b", "c"))
TWO = Task("classification", ("no", "yes"))


def test_the_most_probable_label_is_the_answer():
    logits = np.log(np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]]))
    first, second = ONE_LABEL.predictions(logits, (), TASK)
    assert (first.label, second.label) == ("b", "a")
    assert first.probabilities == pytest.approx({"a": 0.2, "b": 0.7, "c": 0.1}) and list(first.probabilities) == [
        "a",
        "b",
        "c",
    ]
    assert ONE_LABEL.decide(logits, TASK).tolist() == [1, 0]
    assert first.score is first.labels is first.vector is None


def test_figures_are_accuracy_and_macro_f1():
    answers, targets = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    figures = ONE_LABEL.estimates(answers, targets, TASK)
    assert figures["accuracy"].value == 0.5
    # F1 of a: 2/3, of b: 2/4; c is the label of no row.
    assert figures["macro-F1"].value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert ONE_LABEL.score(TASK)(answers, targets) == 0.5 and ONE_LABEL.metric == "accuracy"
    further = ONE_LABEL.further(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), TWO, None)
    assert further["scores"]["F1 of no"][0] == pytest.approx(2 / 3)
    assert further["scores"]["F1 of yes"][0] == pytest.approx(4 / 5)
    assert (further["worst_class"], further["worst_class_recall"]) == ("no", 0.5)


def test_a_model_that_a_constant_beats_is_told_of_and_so_are_labels_in_another_order():
    targets = np.array([0, 0, 0, 1, 1])
    assert ONE_LABEL.beaten_by(np.array([0, 0, 0, 0, 0]), targets, TWO) is None
    said = ONE_LABEL.beaten_by(np.array([1, 1, 1, 0, 0]), targets, TWO)
    assert said is not None
    assert said.startswith("it is right for 0.0 % of 5 rows, and always saying 'no' would be for 60.0 %")
    assert "it would be right for 100.0 % if " in said and "'no' were 'yes'" in said and "'yes' were 'no'" in said
    assert ONE_LABEL.beaten_by(np.array([1, 1]), np.array([0, 0]), TWO) is None, "one label alone says nothing"


def test_a_change_is_clear_where_the_reference_was_sure():
    logits = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    tie = np.log([0.5 + 0.4 * NEAR, 0.5 - 0.4 * NEAR])
    sure = np.log([0.5 + 0.6 * NEAR, 0.5 - 0.6 * NEAR])
    assert ONE_LABEL.clearly_changed(logits, np.stack([tie, sure, sure]), TWO).tolist() == [False, True, False]


def test_labels_are_renumbered_by_name_or_by_the_numbers_given():
    other = Task("classification", ("c", "a", "b"))
    assert ONE_LABEL.renumbered([0, 1, 2, 0], TASK, other, None) == [1, 2, 0, 1]
    assert ONE_LABEL.renumbered([0, 1], TASK, other, [2, 0, 1]) == [2, 0]
    assert ONE_LABEL.the_only([1, 1], TASK.labels) == "the label 'b'" and ONE_LABEL.the_only([1, 0], TASK.labels) == ""
    assert ONE_LABEL.unknown(["x", "y"], TASK).tolist() == [-1, -1]


def test_labels_are_drawn_from_their_probabilities():
    logits = np.tile(np.log([0.6, 0.3, 0.1]), (20000, 1))
    drawn = ONE_LABEL.draw(logits, np.random.default_rng(0))
    assert np.bincount(drawn, minlength=3) / 20000 == pytest.approx([0.6, 0.3, 0.1], abs=0.015)
