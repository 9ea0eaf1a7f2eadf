"""The shape of a student as it is written, and as it is planned from its source's."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.compress.distil.distil import Distil
from leanformer.errors import RecipeError
from leanformer.shapes.planned import PlannedShape

SOURCE = PlannedShape(hidden=32, head_size=8, layers=((4, 48), (3, 40), (4, 30)))


def test_depth_and_width_may_be_one_option():
    assert Distil(shape="4x312").depth_and_width == (4, 312)
    assert Distil(layers=2, hidden=24).depth_and_width == (2, 24) and Distil(layers=None).depth_and_width == (
        None,
        None,
    )


def test_layers_are_planned_as_they_are_chosen():
    assert (named := Distil(layers=(1, 3)).planned(SOURCE)) is not None and named.layers == ((4, 48), (4, 30))
    assert (kept := Distil(layers=None, heads=2).planned(SOURCE)) is not None
    assert kept.layers == ((2, 48), (2, 40), (2, 30))
    assert (wide := Distil(layers=2, ffn=10).planned(SOURCE)) is not None
    assert len(wide.layers) == 2 and {units for _, units in wide.layers} == {10}
    assert Distil(layers=(1, 4)).planned(SOURCE) is None, "the source has three layers"
    assert Distil(start="elsewhere/").planned(SOURCE) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shape": "4"}, "shape is LAYERSxWIDTH, not '4'"),
        ({"shape": "0x12"}, "shape is LAYERSxWIDTH"),
        ({"shape": "4x12", "hidden": 12}, "give `shape` or `hidden`, not both"),
        ({"hidden": 24, "layers": (1, 2)}, "`layers` is a number there"),
        ({"layers": 0}, "layers must be at least 1, not 0"),
        ({"heads": 0}, "heads must be at least 1, not 0"),
        ({"trial_texts": -1}, "trial_texts must be at least 0, not -1"),
    ],
)
def test_what_is_no_shape_is_refused(wrong: dict[str, Any], said: str):
    with pytest.raises(RecipeError, match=f"compress.distil: .*{said}"):
        Distil(**wrong)
