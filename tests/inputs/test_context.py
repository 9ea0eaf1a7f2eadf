"""A question with its context as an input."""

from __future__ import annotations

import pytest

from leanformer.errors import DataError
from leanformer.inputs.context import CONTEXT


def test_a_question_with_a_context_is_one() -> None:
    CONTEXT.check(("q", "c"), "text 1")
    CONTEXT.check(["q", "c"], "text 1")
    assert CONTEXT.rows(("q", "c")) == [("q", "c")] and len(CONTEXT.samples) == 3


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("q", "text 1 is a single text, and the model answers from a context"),
        (("q", ("a", "b")), "text 1 is a question with candidates"),
        ((" ", "c"), "text 1: its question is empty"),
        (("q", "\u200b"), "text 1: its context is empty"),
        (("q", "c\ud83d"), "text 1: its context has half of a surrogate pair"),
    ],
)
def test_what_is_none_is_refused_with_a_remedy(value: object, problem: str) -> None:
    with pytest.raises(DataError, match=f"{problem}.*\n.*remedy"):
        CONTEXT.check(value, "text 1")


def test_what_is_no_text_at_all_is_a_type_error() -> None:
    for value in (3, ("q", 1), ("q", "c", "d")):
        with pytest.raises(TypeError, match="text 1 is no question with a context"):
            CONTEXT.check(value, "text 1")
