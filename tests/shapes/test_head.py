"""The shape of a head, and what of a file is none."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.errors import CheckpointError
from leanformer.shapes.head import HEAD, HEAD_ACTIVATIONS, POOLINGS, HeadShape


def test_a_head_without_an_activation_gives_vectors():
    assert HeadShape(pooling="mean", activation="none").gives_vectors
    assert not any(HeadShape(activation=name).gives_vectors for name in HEAD_ACTIVATIONS if name != "none")


@pytest.mark.parametrize("wrong", [{"pooling": "last"}, {"activation": "swish"}])
def test_a_head_of_another_kind_is_refused_with_those_there_are(wrong: dict[str, str]):
    with pytest.raises(CheckpointError, match="unknown head") as caught:
        HeadShape(**wrong)  # type: ignore[arg-type]
    assert all(name in str(caught.value) for name in (*HEAD_ACTIVATIONS, *POOLINGS, *wrong.values()))


def test_a_file_may_say_each_field_and_no_other():
    HEAD({}, "head")
    HEAD(
        {"pooling": "mean", "activation": "none", "bias": False, "norm": True, "dropout": None, "drops_input": True}, ""
    )
    HEAD(vars(HeadShape()), "head")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"dropout": 1.5}, "head.dropout is 1.5, not a number from 0 to 1"),
        ({"bias": 1}, "head.bias is 1, not true or false"),
        ({"width": 3}, "head has an unknown 'width'"),
        ([], "head is a list, not an object"),
    ],
)
def test_a_file_that_says_something_else_is_refused(value: Any, said: str):
    with pytest.raises(ValueError, match=said):
        HEAD(value, "head")
