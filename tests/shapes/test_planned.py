"""Shapes that steps plan: narrowed to fixed widths, or scaled by a share."""

from __future__ import annotations

from leanformer.shapes.planned import PlannedShape

SHAPE = PlannedShape(hidden=32, head_size=8, layers=((4, 48), (3, 40)))


def test_a_width_that_is_not_given_stays():
    assert SHAPE.narrowed(2, None).layers == ((2, 48), (2, 40))
    assert SHAPE.narrowed(None, 10).layers == ((4, 10), (3, 10))
    assert SHAPE.narrowed(None, None) == SHAPE and SHAPE.narrowed(2, 10).exact


def test_a_share_is_about_that_of_every_layer_and_no_exact_shape():
    halved = SHAPE.scaled(0.5)
    assert halved.layers == ((2, 24), (2, 20)) and not halved.exact
    assert SHAPE.scaled(0.01).layers == ((1, 1), (1, 1)), "no layer goes"
    assert SHAPE.scaled(1) == SHAPE
    assert (halved.hidden, halved.head_size) == (32, 8)


def test_shapes_are_compared_within_a_precision_and_an_engine():
    assert SHAPE.cell == "PyTorch, default" and SHAPE.narrowed(1, 1).cell == SHAPE.cell
    assert PlannedShape(32, 8, (), precision="int8", engine="native").cell == "int8, native"
