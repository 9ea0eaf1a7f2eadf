"""What is no text, and what is said of it."""

from __future__ import annotations

import pytest

from leanformer.errors import DataError
from leanformer.inputs.checks import (
    check_visible,
    has_candidates,
    is_empty,
    is_texts,
    no_text,
    refuse_candidates,
    value_of,
)
from leanformer.inputs.pair import PAIR
from leanformer.inputs.single import SINGLE
from leanformer.inputs.words import WORDS


def test_a_text_of_which_nothing_is_seen_is_empty() -> None:
    assert is_empty("") and is_empty(" \u200b\n") and not is_empty(" a")
    check_visible("a", "the text")
    with pytest.raises(DataError, match=r"the text is empty \('\\u200b'\)"):
        check_visible("\u200b", "the text")


def test_texts_are_a_tuple_or_list_of_strings() -> None:
    assert is_texts(("a", "b")) and is_texts([]) and not is_texts("a") and not is_texts(["a", 1])


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        (None, "dropna"),
        (float("nan"), "dropna"),
        (b"a", r"value\.decode"),
        ({"text": "a"}, r"row\['text'\]"),
        ({"q": "a"}, r"row\['q'\]"),
    ],
)
def test_what_to_give_instead_is_said(value: object, instead: str) -> None:
    with pytest.raises(TypeError, match=f"it is no text, but .*{instead}"):
        raise TypeError(no_text(value, "it", "no text"))
    assert value_of({1: 2}) == "row['text']"


def test_a_question_with_candidates_is_no_other_kind_of_question() -> None:
    assert has_candidates(("q", ("a", "b"))) and has_candidates(["q", ["a"]])
    for value in ("q", ("q", "a"), ("q", ("a",), "b"), ("q", (1,)), (1, ("a", "b")), None):
        assert not has_candidates(value)
        refuse_candidates(value, "text 1", "pairs")
    for other in (SINGLE, PAIR, WORDS):
        with pytest.raises(DataError, match=r"text 1 is a question with candidates, and the model .*\n.*remedy: leave"):
            other.check(("q", ["a", "b"]), "text 1")
