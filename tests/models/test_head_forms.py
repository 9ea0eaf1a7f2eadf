"""Which heads give answers of which form."""

from __future__ import annotations

from leanformer.models.heads import HEADS
from leanformer.shapes.head import HeadShape


def test_each_form_has_a_head_and_no_form_of_another_fits_it() -> None:
    heads = {"first": HeadShape(), "none": HeadShape(pooling="none"), "vector": HeadShape("mean", "none")}
    fitting = {form: [name for name, shape in heads.items() if head.fits(shape)] for form, head in HEADS.items()}
    assert fitting == {
        "label": ["first"], "labels": ["first"], "score": ["first"], "choice": ["first"], "tags": ["none"],
        "vector": ["first", "vector"], "span": ["none"],  # a pooled head maps to the width of a teacher's vectors
    }  # fmt: skip
