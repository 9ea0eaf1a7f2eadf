"""Where an error in a row is said to be, and how a wrong value is shown."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.data.row import Row, Table, as_score, describe


def test_an_error_names_the_file_and_line_or_the_row_of_a_split():
    row = Row(7, "text")
    assert str(Table("a.csv", [row]).error("no label", row)) == "a.csv, line 7: no label"
    assert str(Table("folder", [row]).error("no label", Row(7, "text", file="b.csv"))) == "b.csv, line 7: no label"
    assert str(Table("hub/x, split train", [row], is_file=False).error("no label", row, remedy="add one")) == (
        "hub/x, split train, row 7: no label\n  remedy: add one"
    )
    assert str(Table("a.csv", [row]).error("no rows")) == "a.csv: no rows"


@pytest.mark.parametrize(("label", "score"), [("1.5", 1.5), ("-2", -2.0), (3.0, 3.0), (" 4 ", 4.0), ("1e3", 1000.0)])
def test_a_number_is_a_score(label: str | float, score: float):
    assert as_score(label) == score


@pytest.mark.parametrize("label", ["", "good", "nan", "inf", "1e999", float("nan"), "1,5"])
def test_what_is_not_a_finite_number_is_no_score(label: str | float):
    assert as_score(label) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "a truth value (True)"),
        (3, "an integer (3)"),
        (0.5, "a decimal number (0.5)"),
        ({"a": 1}, "an object ({'a': 1})"),
        ([1] * 30, "a list ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...)"),
        ("x", "of type str ('x')"),
    ],
)
def test_a_value_is_shown_with_its_type_and_in_short(value: Any, shown: str):
    assert describe(value) == shown
