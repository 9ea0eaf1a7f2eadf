"""The verdict, the slope and the crossing length are computed."""

from __future__ import annotations

import pytest

from benchmarks.atlas.table import compared, overtakes, slope, verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 2, "better"), (-2, -0.1, "worse"), (-1, 1, "no difference shown"), (None, None, "not on this CPU")],
)
def test_the_verdict_is_that_of_the_interval(low: float | None, high: float | None, expected: str):
    assert verdict(low, high) == expected


def test_texts_are_compared_in_pairs_over_the_seeds_of_both():
    found = compared({13: "1111" * 25, 14: "1110" * 25, 15: "0000" * 25}, {13: "1100" * 25, 14: "1100" * 25})
    assert (found["seeds"], found["n"], found["quality"], found["control_quality"]) == ([13, 14], 100, 87.5, 50)
    assert found["difference"] == 37.5 and 25 < found["low"] < 37.5 < found["high"] < 50
    assert found["deviation"] == 17.68
    assert compared({13: "10"}, {13: "10"})["deviation"] is None


def lines(**ms: float | None) -> list[dict[str, float | int | None]]:
    return [{"tokens": int(name[1:]), "ms": value} for name, value in ms.items()]


def test_the_slope_is_that_of_the_logarithms():
    assert slope(lines(n512=900, n1024=1, n2048=2, n4096=4)) == 1
    assert slope(lines(n1024=1, n2048=4, n4096=16, n8192=64)) == 2
    assert slope(lines(n1024=1, n2048=4)) is None


def test_it_overtakes_where_it_stays_faster():
    control = lines(n128=1, n256=4, n512=16, n1024=64)
    assert overtakes(lines(n128=2, n256=3, n512=6, n1024=12), control) == 256
    assert overtakes(lines(n128=0.5, n256=5, n512=6, n1024=12), control) == 512
    assert overtakes(lines(n128=0.5, n256=5, n512=6, n1024=90), control) is None
    assert overtakes(lines(n128=0.5, n256=1, n512=2, n1024=None), control) is None, "it ran out of memory"
