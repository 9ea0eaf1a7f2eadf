"""Which heads give answers of which form."""

from __future__ import annotations

from leanformer.models.heads import HEADS
from leanformer.shapes.head import HeadShape


def test_each_form_has_one_head_and_no_other_fits_it() -> None:
    heads = {"first": HeadShape(), "none": HeadShape(pooling="none"), "vector": HeadShape("mean", "none")}
    fitting = {form: [name for name, shape in heads.items() if head.fits(shape)] for form, head in HEADS.items()}
    assert fitting == {
        "label": ["first"], "labels": ["first"], "score": ["first"], "choice": ["first"], "tags": ["none"],
        "vector": ["vector"], "span": ["none"],
    }  # fmt: skip
