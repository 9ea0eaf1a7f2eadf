"""A rung in int8 that gains nothing on this CPU is told."""

import pytest

from leanformer.recipe.compress import _slow_int8
from tests.render.reports import make_report, make_rung


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_int8_that_is_not_faster_is_told(factor: float) -> None:
    rungs = (make_rung("graph"), make_rung("small", after="graph", runtime="ONNX Runtime int8", marginal=factor))
    (note,) = _slow_int8(make_report(*rungs))
    assert "'small'" in note and "'graph'" in note and f"{factor:.2f}x" in note


def test_int8_that_is_faster_and_fp32_that_is_not_are_passed_over() -> None:
    faster = make_rung("small", after="graph", runtime="ONNX Runtime int8", marginal=1.01)
    slower = make_rung("other", after="graph", runtime="ONNX Runtime fp32", marginal=0.9)
    assert _slow_int8(make_report(make_rung("graph"), faster, slower)) == []
