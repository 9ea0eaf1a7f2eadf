"""What a rung is compared with, on speeds that are known: nothing is timed here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.ladder import ladder as module
from leanformer.ladder.entries import UNPADDED, Entry
from leanformer.ladder.ladder import measure_ladder
from leanformer.measure.speed import Speed, SpeedSettings
from leanformer.report import Report
from leanformer.runtime.predictor import LightPredictor
from tests.tiny import tiny_dataset

RATES = {"padded": 10.0, UNPADDED: 40.0, "batched": 80.0, "graph": 400.0, "int8": 1000.0}
SPEED = Speed(1.0, 2.0, 3.0, 10, 0.1, 1.0, 1.0, 1.0, 60, (1.0,), 1.0)


@pytest.fixture
def report(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    artifact = open_artifact(tiny_onnx_artifact)
    predictor = LightPredictor(artifact, threads=1)
    names = list(RATES)
    entries = [
        Entry(name, names[max(0, number - 1)] if number else None, artifact, predictor, "", True, True)
        for number, name in enumerate(names)
    ]
    speeds = [
        replace(SPEED, throughput_per_second=rate, throughput_median=rate, inference_per_second=rate)
        for rate in RATES.values()
    ]
    monkeypatch.setattr(module, "measure_speed", lambda *arguments, **named: speeds)
    return measure_ladder(
        entries, tiny_dataset(), title="known", metric="accuracy", threads=1, speed=SpeedSettings(), memory=False,
        usd_per_hour=1.0,
    )  # fmt: skip


def test_a_rung_is_compared_with_the_first_the_unpadded_and_the_one_before(report: Report):
    rungs = {rung.name: rung for rung in report.rungs}
    assert [rungs[name].speedup for name in RATES] == pytest.approx([1, 4, 8, 40, 100])
    assert [rungs[name].speedup_over_unpadded for name in RATES] == pytest.approx([0.25, 1, 2, 10, 25])
    assert [rungs[name].marginal for name in RATES] == pytest.approx([1, 4, 2, 5, 2.5])
    assert rungs["int8"].usd_per_100m == pytest.approx(1e8 / 1000 / 3600)
