"""Errors of predicted latencies: of all pairs of shape and length, and of each length."""

from __future__ import annotations

from benchmarks.family.latency import summary, unlike
from leanformer.tune.time_model import TimeModel
from tests.making.tiny import tiny_config
from tests.tune.test_time_model import BASE, points


def test_errors_are_those_of_the_predictions():
    timed = points()
    model = TimeModel.of(BASE, timed, {})
    right = summary(model, timed)
    assert right["mean_error"] < 0.05 and right["kendall_tau"] > 0.95 and right["n"] == len(timed) == len(right["rows"])
    assert right["by_tokens"]["8"]["n"] == len(timed) / 3
    off = summary(model, [point.__class__(point.layers, point.tokens, 2 * point.ms) for point in timed])
    assert 0.45 < off["mean_error"] < 0.55 and off["kendall_tau"] == right["kendall_tau"]


def test_shapes_made_afterwards_have_layers_of_different_widths():
    shapes = unlike(tiny_config(), 12, 13)
    assert len(shapes) == 12 and any(len(set(shape)) > 1 for shape in shapes)
    assert all(1 <= heads <= 4 and 8 <= units <= 48 for shape in shapes for heads, units in shape)
