"""What is done with inputs of any kind."""

from __future__ import annotations

import json

import pytest

from leanformer.errors import LeanformerError
from leanformer.inputs.input import InputTable, changed, from_json, parts_of


def test_parts_are_every_text_in_order() -> None:
    assert parts_of("a") == ("a",)
    assert parts_of(("a", "b")) == ("a", "b")
    assert parts_of(("a", ("b", "c"))) == ("a", "b", "c")


def test_every_text_is_changed_and_the_shape_stays() -> None:
    assert changed("a", str.upper) == "A"
    assert changed(("a", "b"), str.upper) == ("A", "B")


def test_an_input_comes_back_from_json() -> None:
    for text in ("a", ("a", "b"), ("a", ("b", "c"))):
        assert from_json(json.loads(json.dumps(text))) == text


def test_a_table_refuses_what_it_lacks() -> None:
    with pytest.raises(LeanformerError, match=r"inputs of the kind 'b' are not built; a are\n.*add the input to here"):
        InputTable("here", {"a": 1})["b"]
