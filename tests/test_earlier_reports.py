"""Reports of earlier versions: medians in place of best rounds, and the names of today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.earlier_reports import brought_up
from leanformer.first_rungs import BATCHED, UNPADDED, padded
from leanformer.report import Report
from tests.making.reports import make_report, make_rung


def earlier() -> dict[str, Any]:
    """A ladder whose first rung's best round was twice its median, and the last one's four times."""
    torch = {"runtime": "PyTorch fp32, our module"}
    rungs = [
        make_rung("PyTorch, padded to 128", throughput_per_second=20.0, throughput_median=10.0, speedup=1.0,
                  speedup_over_unpadded=0.5, marginal=1.0, usd_per_100m=100.0, **torch),
        make_rung("no padding", after="PyTorch, padded to 128", throughput_per_second=40.0, throughput_median=40.0,
                  speedup=2.0, speedup_over_unpadded=1.0, marginal=2.0, usd_per_100m=50.0, **torch),
        make_rung("batches by length", after="no padding", throughput_per_second=60.0, throughput_median=50.0,
                  speedup=3.0, speedup_over_unpadded=1.5, marginal=1.5, usd_per_100m=30.0, **torch),
        make_rung("no padding here", after="batches by length", throughput_per_second=400.0, throughput_median=100.0,
                  speedup=20.0, speedup_over_unpadded=10.0, marginal=400 / 60, usd_per_100m=5.0),
    ]  # fmt: skip
    value: dict[str, Any] = json.loads(json.dumps(make_report(*rungs, choice={"rung": "batches by length"}).to_json()))
    for rung in value["rungs"]:
        for key in ("over_batched", "throughput_warm", "rounds", "intervals"):
            del rung[key]
    return value


def test_the_median_takes_the_place_of_the_best_round(tmp_path: Path):
    (tmp_path / "report.json").write_text(json.dumps(earlier()))
    report = Report.read(tmp_path / "report.json")
    last = report.rungs[-1]
    assert last.throughput_per_second == last.throughput_median == 100
    assert last.speedup == pytest.approx(10)
    assert last.speedup_over_unpadded == pytest.approx(2.5)
    assert last.over_batched == pytest.approx(2)
    assert last.marginal == pytest.approx(2)
    assert last.usd_per_100m == pytest.approx(20)
    assert last.rounds is None and last.intervals is None and report.machine_load is None
    assert [rung.speedup for rung in report.rungs[:3]] == pytest.approx([1, 4, 5])


def test_first_rungs_have_the_names_of_today(tmp_path: Path):
    (tmp_path / "report.json").write_text(json.dumps(earlier()))
    report = Report.read(tmp_path / "report.json")
    assert [rung.name for rung in report.rungs] == [padded(128), UNPADDED, BATCHED, "no padding here"]
    assert [rung.after for rung in report.rungs] == [None, padded(128), UNPADDED, BATCHED]
    assert report.choice == {"rung": BATCHED}


def test_a_rung_of_another_runtime_keeps_its_name():
    value = earlier()
    value["rungs"][1]["runtime"] = "our engine"
    assert brought_up(value)["rungs"][1]["name"] == "no padding"


def test_a_second_time_changes_nothing():
    once = brought_up(earlier())
    assert brought_up(once) == once


def test_a_rate_of_nothing_is_left_alone():
    value = earlier()
    value["rungs"][0]["throughput_per_second"] = 0.0
    assert brought_up(value)["rungs"][0]["throughput_per_second"] == 0


def test_a_report_of_today_is_left_alone():
    rounds = {"throughput": {"1": 50.0}}
    report = make_report(make_rung("a", rounds=rounds, throughput_per_second=50.0, throughput_median=40.0))
    value = report.to_json()
    assert brought_up(value) == value
