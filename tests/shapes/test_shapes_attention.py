"""Kinds of attention as data: operations counted by hand, the form in files, and what can be exported."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.errors import CheckpointError
from leanformer.shapes.attention import (
    KINDS,
    MAIN,
    SOFTMAX,
    Linear,
    attention_from_json,
    attention_to_json,
    need_graph,
)


def test_operations_are_those_of_the_products():
    # Queries by keys, then scores by values: 5 x 7 products of 4 numbers each, twice, a product being two operations.
    assert SOFTMAX.flops(tokens=7, asked=5, head_size=4) == 2 * 2 * 5 * 7 * 4
    assert SOFTMAX.elements(7, 4) == 49
    # Keys by values over 7 tokens, then 5 queries by the sum, a matrix of 4 x 4.
    assert Linear().flops(tokens=7, asked=5, head_size=4) == 2 * 7 * 16 + 2 * 5 * 16
    assert Linear().elements(7, 4) == 16
    assert Linear().flops(64, 64, 64) == SOFTMAX.flops(64, 64, 64), "from as many tokens on as the head is wide"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_the_same_after_a_file(kind: str):
    shape = KINDS[kind]()
    written = attention_to_json(shape)
    assert written["kind"] == kind and attention_from_json(written) == shape
    assert attention_from_json({"kind": kind}) == shape, "options have defaults"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"kind": "other"}, "unknown kind of attention 'other'; one of softmax, linear"),
        ({}, "unknown kind of attention None"),
        ({"kind": "softmax", "width": 3}, "not the options of softmax attention"),
    ],
)
def test_what_is_no_kind_is_refused(value: dict[str, Any], said: str):
    with pytest.raises(CheckpointError, match=said):
        attention_from_json(value)


def test_only_kinds_with_a_graph_are_exported():
    need_graph(SOFTMAX, "model/")
    for name, kind in KINDS.items():
        if name != "softmax":
            with pytest.raises(CheckpointError, match=f"^model/: {name} attention runs in PyTorch only") as caught:
                need_graph(kind(), "model/")
            assert "kinds that can be exported: softmax\n  remedy: " in str(caught.value)
    assert set(MAIN) == {"softmax", "linear"}
