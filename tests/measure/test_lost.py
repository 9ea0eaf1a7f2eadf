"""Labels that a model no longer finds."""

from __future__ import annotations

import numpy as np

from leanformer.measure.lost import lost_labels
from leanformer.tagging.ragged import ragged
from leanformer.task import Task

AB = Task("classification", ("fine", "alarm"))


def test_a_rare_class_that_is_never_said_is_lost() -> None:
    targets = np.array([0] * 620 + [1] * 5)
    assert lost_labels(np.zeros(625, np.int64), targets, targets, AB) == ("alarm (0 found where the teacher finds 5)",)
    assert lost_labels(targets, targets, targets, AB) == ()
    assert lost_labels(np.where(np.arange(625) == 624, 1, 0), targets, targets, AB) == (), "one of five may be chance"


def test_what_the_teacher_hardly_finds_cannot_be_lost() -> None:
    targets = np.array([0] * 60 + [1] * 5)
    reference = np.array([0] * 63 + [1] * 2)
    assert lost_labels(np.zeros(65, np.int64), reference, targets, AB) == ()


def test_a_class_that_is_found_far_less_often_is_lost() -> None:
    targets = np.array([0] * 100 + [1] * 40)
    few = np.where(np.arange(140) < 130, 0, 1)
    assert lost_labels(few, targets, targets, AB) == ("alarm (10 found where the teacher finds 40)",)
    assert lost_labels(np.where(np.arange(140) < 115, 0, 1), targets, targets, AB) == (), "25 of 40"


def test_any_number_of_labels_and_types_of_entities() -> None:
    several = Task("multilabel", ("a", "b"))
    targets = np.array([[1, 0]] * 9 + [[1, 1]] * 4)
    assert lost_labels(targets * (1, 0), targets, targets, several) == ("b (0 found where the teacher finds 4)",)
    tags = Task("tokens", ("O", "B-X", "I-X", "B-Y", "I-Y"))
    gold = ragged([np.array([1, 2, 0, 3])] * 5)
    blind = ragged([np.array([1, 2, 0, 0])] * 5)
    assert lost_labels(blind, gold, gold, tags) == ("Y (0 found where the teacher finds 5)",)
    assert lost_labels(np.zeros(3), np.ones(3), np.ones(3), Task("regression", ())) == ()


def test_three_that_the_teacher_finds_are_enough() -> None:
    targets = np.array([0] * 60 + [1] * 3)
    assert lost_labels(np.zeros(63, np.int64), targets, targets, AB) == ("alarm (0 found where the teacher finds 3)",)


def test_a_label_that_is_said_in_the_wrong_places_is_not_found() -> None:
    targets = np.array([0] * 20 + [1] * 5)
    assert lost_labels(1 - targets, targets, targets, AB)[1:] == ("alarm (0 found where the teacher finds 5)",)
    several = Task("multilabel", ("a", "b"))
    both = np.array([[1, 0]] * 9 + [[1, 1]] * 4)
    assert lost_labels(both ^ (0, 1), both, both, several) == ("b (0 found where the teacher finds 4)",)
