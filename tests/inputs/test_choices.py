"""A question with candidates as an input."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.errors import DataError
from leanformer.inputs.choices import CHOICES
from leanformer.inputs.kinds import gathered, rows_of
from leanformer.task import Task, Text

QUESTIONS: list[Text] = [("q", ("a", "b")), ("r", ("c", "d", "e"))]


def test_a_text_with_at_least_two_candidates_is_one() -> None:
    CHOICES.check(("q", ("a", "b")), "text 1")
    CHOICES.check(["q", ["a", "b", "c"]], "text 1")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("q", "is a single text, and the model chooses one of several candidates"),
        (("q", "a"), "is 2 texts, and the model chooses"),
        (("q", ("a",)), "has 1 candidate, and at least 2 are needed"),
        (("q", ()), "has 0 candidate"),
        ((" ", ("a", "b")), "its text is empty"),
        (("q", ("a", "")), "its candidate 2 is empty"),
        (("q\ud83d", ("a", "b")), "its text has half of a surrogate pair"),
        (("q", ("a", "b\udc00")), "its candidate 2 has half of a surrogate pair"),
    ],
)
def test_what_is_no_question_is_refused_with_a_remedy(value: object, problem: str) -> None:
    with pytest.raises(DataError, match=f"text 1.* {problem}.*\n.*remedy|text 1: {problem}.*\n.*remedy"):
        CHOICES.check(value, "text 1")


def test_what_is_no_text_at_all_is_a_type_error() -> None:
    for value in (3, ("q", (1, 2)), ("q", ("a", "b"), "c")):
        with pytest.raises(TypeError, match="text 1 is not a text with a list of candidates"):
            CHOICES.check(value, "text 1")


def test_each_candidate_is_a_row_beside_the_question() -> None:
    rows, counts = rows_of(Task("choice", ()), QUESTIONS)
    assert list(rows) == [("q", "a"), ("q", "b"), ("r", "c"), ("r", "d"), ("r", "e")]
    assert counts is not None and list(counts) == [2, 3]
    assert rows_of(Task("pair", ("a", "b")), [("q", "a")]) == ([("q", "a")], None)


def test_logits_of_rows_are_gathered_by_question() -> None:
    values = np.arange(5, dtype=np.float32)[:, None]
    found = gathered(values, np.array([2, 3]))
    assert [run.tolist() for run in found] == [[0, 1], [2, 3, 4]]
    assert gathered(values, None) is values
