"""Lists in one cell, as pandas, numpy and JSON write them, and cells that are none."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from leanformer.data.reading.cells import as_choices, parse_list


@pytest.mark.parametrize(
    "items",
    [["a", "b"], [], ["it's", 'a "b"', "c, d", "[e]"], [0, 1], [0.5, -1e-3], [True, False], [["a"], ["b", "c"]]],
)
def test_a_list_is_read_as_python_and_json_write_it(items: list[Any]):
    assert parse_list(repr(items)) == items == parse_list(json.dumps(items))
    assert parse_list(f"  {items!r}\n") == items


def test_a_list_is_read_as_numpy_writes_it():
    assert parse_list(str(np.array(["a", "b c"]))) == ["a", "b c"]
    assert parse_list(repr(np.array(["a", "b"], dtype=object))) == ["a", "b"]
    assert parse_list(str(np.array([1, 2]))) == [1, 2]
    assert parse_list("array(['a'], dtype='<U1')") == ["a"]


def test_sets_and_tuples_are_lists():
    assert parse_list("{'a', 'b'}") == ["a", "b"] and parse_list("('a', 'b')") == ["a", "b"]
    assert parse_list("set()") == parse_list("()") == parse_list("[]") == []


@pytest.mark.parametrize("cell", ["", "a", "[", "['a']x", "[a]", "(1)", "(good)", "{1, 2}", "['a' 'b]", "[1 + 1]"])
def test_another_text_is_no_list(cell: str):
    assert parse_list(cell) is None


def test_names_without_quotes_are_read_where_they_are_asked_for():
    assert parse_list("[a, b c]", bare=True) == ["a", "b c"] and parse_list("[a, [b]]", bare=True) is None
    assert parse_list("(a)", bare=True) is None


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"choices": ["a", "b"]}, ["a", "b"]),
        ('{"choices": ["a"]}', ["a"]),
        ({"choices": ["a", 1]}, None),
        ({"choices": ["a"], "more": 1}, None),
        ({"choices": "ab"}, None),
        ('{"choices": [', None),
        ("{" * 100_000, None),
        (["a"], None),
    ],
)
def test_choices_are_an_object_with_this_one_name(value: object, names: list[str] | None):
    assert as_choices(value) == names
