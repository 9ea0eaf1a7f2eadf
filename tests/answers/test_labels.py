"""Labels of each form: unknown ones, strata, and which apply."""

from __future__ import annotations

import numpy as np

from leanformer.answers.forms import FORMS
from leanformer.tagging.ragged import ragged
from leanformer.task import Task

TAGS = ("O", "B-X", "I-X")
WORDS = ragged([np.array([0, 0, 1]), np.array([0, 0]), np.array([], dtype=np.int64), np.array([0, 1, 2])])


def test_sentences_are_stratified_by_their_rarest_tag_and_language() -> None:
    strata = FORMS["tags"].strata
    assert strata(WORDS, TAGS, None) == (2, 3, 0, 1)
    assert strata(WORDS, TAGS, ("a", "b", "b", "a")) == (2, 7, 4, 1)


def test_rows_of_several_labels_are_stratified_by_the_rarest() -> None:
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]])
    # Of two that are equally rare the first one in order counts as the rarer.
    assert FORMS["labels"].strata(targets, ("a", "b", "c"), None) == (1, 0, -1, 2, 1)


def test_unknown_labels_have_the_shape_of_known_ones() -> None:
    texts = ("x", "y z")
    assert FORMS["label"].unknown(texts, Task("classification", ("a", "b"))).tolist() == [-1, -1]
    assert FORMS["labels"].unknown(texts, Task("multilabel", ("a", "b"))).tolist() == [[-1, -1], [-1, -1]]
    assert np.isnan(FORMS["score"].unknown(texts, Task("regression", ()))).tolist() == [True, True]
    assert [tags.tolist() for tags in FORMS["tags"].unknown(texts, Task("tokens", TAGS))] == [[-1], [-1, -1]]


def test_which_labels_apply() -> None:
    assert FORMS["label"].applies(np.array([1, 0]), 3).tolist() == [[False, True, False], [True, False, False]]
    assert FORMS["labels"].applies(np.array([[0, 1]]), 2).tolist() == [[False, True]]
    assert FORMS["tags"].applies(WORDS, 3).tolist() == [
        [True, True, False], [True, False, False], [False, False, False], [True, True, True]
    ]  # fmt: skip
    assert not FORMS["score"].applies(np.array([0.5]), 2).any()
