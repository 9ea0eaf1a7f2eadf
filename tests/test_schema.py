"""Checks of JSON values: what each lets through, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.schema import Check, fields, listed, named, nullable, number, shown, text, truth, whole

CONFIG = fields({"size": whole(1, 9), "names": listed(text(3), 1, 2)}, {"rate": nullable(number(0, 1))}, others=False)


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (whole(1, 3), [1, 3]),
        (number(0, 1), [0, 1, 0.5]),
        (text(2), ["", "ab"]),
        (text(among=("a", "b")), ["b"]),
        (truth, [True, False]),
        (nullable(truth), [None, True]),
        (listed(whole(), 0, 2), [[], [1, 2]]),
        (named(truth), [{}, {"any": True}]),
        (CONFIG, [{"size": 1, "names": ["a"]}, {"size": 9, "names": ["a", "b"], "rate": None}]),
        (fields({}), [{}, {"other": 1}]),
    ],
)
def test_what_is_allowed_passes(check: Check, values: list[Any]):
    for value in values:
        check(value, "here")


@pytest.mark.parametrize(
    ("check", "value", "said"),
    [
        (whole(1, 3), 4, "here is 4, not a whole number from 1 to 3"),
        (whole(1, 3), 2.0, "here is 2.0, not a whole number"),
        (whole(0, 1), True, "here is true, not a whole number"),
        (number(0, 1), 1.5, "here is 1.5, not a number from 0 to 1"),
        (number(), float("nan"), "here is nan, not a number"),
        (number(), 1e31, "here is 1e\\+31, not a number"),
        (number(0, 1), False, "here is false, not a number"),
        (text(2), "abc", "here is 'abc', not a text of at most 2 characters"),
        (text(), 3, "here is 3, not a text"),
        (text(among=("a", "b")), "c", "here is 'c', not one of a, b"),
        (truth, 1, "here is 1, not true or false"),
        (listed(truth), {}, "here is an object, not a list"),
        (listed(truth, 1, 2), [], "here has 0 entries, not 1 to 2"),
        (listed(truth), [True, 0], r"here\[1\] is 0"),
        (named(truth), [], "here is a list, not an object"),
        (named(truth), {"a": None}, "here.a is null"),
        (CONFIG, {"size": 1}, "here has no 'names'"),
        (CONFIG, {"size": 1, "names": ["long"]}, r"here.names\[0\] is 'long'"),
        (CONFIG, {"size": 1, "names": ["a"], "rate": 2}, "here.rate is 2"),
        (CONFIG, {"size": 1, "names": ["a"], "b": 0, "a": 0}, "here has an unknown 'a'"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_place(check: Check, value: Any, said: str):
    with pytest.raises(ValueError, match=said):
        check(value, "here")


def test_a_value_is_shown_in_a_few_characters_whatever_it_is():
    for value in ("x" * 1000, [1] * 1000, {"a": "b" * 1000}, 10**5000):
        assert len(shown(value)) <= 60
