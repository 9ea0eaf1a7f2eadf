"""Names of the first rungs, today's and earlier ones."""

from __future__ import annotations

import pytest

from leanformer.first_rungs import BATCHED, UNPADDED, padded, present_name


@pytest.mark.parametrize(
    ("earlier", "name"),
    [
        ("PyTorch, padded to 128", padded(128)),
        ("PyTorch, padded to 64", padded(64)),
        ("no padding", UNPADDED),
        ("batches by length", BATCHED),
        ("our ONNX graph", "our ONNX graph"),
        ("PyTorch, padded to 1x", "PyTorch, padded to 1x"),
    ],
)
def test_earlier_names_and_no_others_are_translated(earlier: str, name: str):
    assert present_name(earlier) == name
    assert present_name(name) == name


def test_names_say_what_is_run():
    assert padded(128) == "PyTorch, one text at a time, padded to 128"
