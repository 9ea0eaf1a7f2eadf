"""Texts that are the same once they are normalised, and notes on those that repeat or conflict."""

from __future__ import annotations

import pytest

from leanformer.data.overlap import SEPARATOR, count_contained, find_repeats, group_rows, normalise_all, normalise_text
from leanformer.data.row import Row, Table


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("  The\tCat \n sat ", "the cat sat"),
        ("STRASSE", "straße"),
        ("ﬁne", "fine"),
        ("cafe\u0301", "CAFÉ"),
        ("\u1fb3", "\u03b1\u03b9"),  # folding takes the composed letter apart
        ("a\u00a0b", "a b"),
    ],
)
def test_texts_that_differ_in_writing_alone_are_one(text: str, same: str):
    assert normalise_text(text) == normalise_text(same)
    assert normalise_text(normalise_text(text)) == normalise_text(text)


def test_a_pair_is_not_the_text_that_it_would_be_joined_to():
    assert normalise_text(("A b", "c")) == f"a b{SEPARATOR}c"
    assert len(set(normalise_all([("a b", "c"), ("a", "b c"), "a b c", f"a b{SEPARATOR}c"]))) == 3, (
        "a text with the separator is the text without it, as white space"
    )


def test_repeats_of_others_are_counted_with_their_number():
    assert count_contained(["a", "b", "a", "c"], ["a", "c", "d"]) == 3
    assert group_rows(["a", "b", "a"]) == {"a": [0, 2], "b": [1]}


def rows(*labels: str) -> list[Row]:
    return [Row(10 + number, "text", label=label) for number, label in enumerate(labels)]


def test_repeats_and_conflicts_are_noted_with_their_lines():
    labels = ["x", "y", "x", "x", "z"]
    table = Table("train.jsonl", rows(*labels))
    assert find_repeats(table, ["a", "b", "a", "b", "c"], labels) == [
        "2 of 5 train rows repeat the text of an earlier one; none was removed",
        "1 train text has conflicting labels, the first on lines 11 (y) and 13 (x)",
    ]
    hub = Table("name, split train", rows(*labels), is_file=False)
    assert find_repeats(hub, ["a", "a", "b", "c", "b"], labels)[1].startswith(
        "2 train texts have conflicting labels, the first on rows 10 (x) and 11 (y)"
    )
    assert find_repeats(table, list("abcde"), labels) == []
