"""Names of fields, and what is wrong with texts."""

from __future__ import annotations

import pytest

from leanformer.data.reading.fields import check_text, missing_column, suggest_name
from leanformer.errors import DataError


def test_names_that_people_use_are_suggested() -> None:
    assert suggest_name(("id", "Sentence"), "text") == "Sentence"
    assert suggest_name(("id", "labell"), "label") == "labell"
    assert suggest_name(("id",), "text") is None


def test_a_column_that_is_missing_is_said_with_what_is_there() -> None:
    error = missing_column("text", ("id", "review"), path="rows.csv", line=1, what="column")
    assert "rows.csv, line 1: no column 'text'; the columns there are 'id', 'review'" in str(error)
    assert "rename 'review' to 'text'" in str(error)


@pytest.mark.parametrize(
    ("value", "problem"),
    [(3, "not a string"), (" ", "nothing but white space"), ("a\0", "a NUL"), ("\ud800", "half of a surrogate pair")],
)
def test_what_is_no_text_is_refused(value: object, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        check_text({"text": value}, "text", ("text",), "rows.jsonl", 1)
    assert check_text({"text": "a"}, "text", ("text",), "rows.jsonl", 1) == "a"
