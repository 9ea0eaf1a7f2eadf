"""The lines about a learning curve."""

from __future__ import annotations

import pytest

from leanformer.render.learning_curve import curve_lines
from tests.curate.test_learning_curve import curve


def test_a_line_per_size_and_the_answer() -> None:
    lines = curve_lines(curve(0.05), 1200, 3.0)
    assert len(lines) == 7 and lines[0].split() == ["rows", "accuracy", "on", "dev", "lowest", "highest", "fitted"]
    assert lines[4].split() == ["400", "90.0", "89.5", "90.5", "90.0"]
    assert (
        "1,200 more labels would raise accuracy on dev from 90.0 to about 95.0: by 5.0 points (95 % interval"
        in lines[5]
    )
    assert lines[6] == "label more: at least 3 points are to be gained"


@pytest.mark.parametrize(("worth", "advice"), [(7.0, "compress now: less than 7 points"), (5.0, "not clear: the gain")])
def test_other_advice(worth: float, advice: str) -> None:
    assert curve_lines(curve(0.05), 1200, worth)[-1].startswith(advice)


def test_one_point_is_no_plural() -> None:
    assert curve_lines(curve(0.05), 1200, 1.0)[-1] == "label more: at least 1 point is to be gained"
    assert curve_lines(curve(0), 1, 1.0)[-1] == "compress now: less than 1 point is to be gained"
