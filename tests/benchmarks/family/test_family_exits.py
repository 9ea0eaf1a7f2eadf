"""The table of early exits on tiny data: bounds shown and refused, times by turns, and the choice by dev alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.family import exits, run
from benchmarks.family.exits import ExitCells, chosen_of, rounds_of, speed_of
from benchmarks.xtremedistil import cell_store
from leanformer.train.settings import FitSettings
from tests.making.commands import write_lines
from tests.making.native import needs_compiler
from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset

pytestmark = needs_compiler


@pytest.mark.slow
def test_a_table_of_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / "tiny" / f"{split}.jsonl", rows)
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(run.TEACHERS, "tiny", {"splits": {}, "settings": FitSettings(epochs=1, batch_size=16)})
    monkeypatch.setattr(cell_store, "_module", lambda: "benchmarks.family.exits")
    monkeypatch.setattr(cell_store, "provenance", lambda threads, since: {})  # it looks at the whole machine
    monkeypatch.setattr(cell_store, "watch", lambda: None)
    encoder = tiny_artifact(tmp_path / "encoder").path
    monkeypatch.setattr(exits, "encoder_folder", lambda name: encoder)

    def cells() -> ExitCells:
        return ExitCells("tiny", tmp_path / "work", None, rounds=2)

    found = cells().rows([0.5, 60.0])
    refused, shown = found["rows"]
    assert "the promise cannot be made" in refused["refused"] and "speed" not in refused
    assert sum(shown["test_left"]) == pytest.approx(1, abs=1e-3) and shown["dev_changed"] <= 60
    assert set(shown["speed"]) == {"1", "8", "32", "all"} and shown["speed"]["1"]["engine"]["per_second"] > 0
    assert found["without"]["speed"]["8"]["whole"] == found["without"]["speed"]["8"]["whole"] | {
        "speedup": 1.0, "low": 1.0, "high": 1.0,
    }  # fmt: skip
    assert str(tmp_path) not in json.dumps(found), "no path of a machine"
    monkeypatch.setattr(ExitCells, "timed", lambda self, graph, bounds: pytest.fail("timed twice"))
    assert cells().rows([0.5, 60.0]) == found


def test_turns_change_and_every_model_is_timed():
    asked: list[str] = []
    found = rounds_of(["a", "b", "c"], asked.append, 2)
    assert asked == [*"abc", *"abc", *"bca"] and [len(taken) for taken in found] == [3, 3]


def test_a_speedup_is_of_the_same_round():
    times = {"texts": 10, "calls": {"1": {"engine": [[4.0, 2.0], [9.0, 3.0], [4.0, 4.0]]}}}
    found = speed_of(times, 1)["1"]["engine"]
    assert found == {"per_second": 3.3, "speedup": 2.0, "low": 1.0, "high": 3.0}


@pytest.mark.parametrize(("devs", "chosen"), [((90.0, 89.5), 1), ((90.0, 89.4), 0), ((89.4, 89.0), None)])
def test_the_choice_is_by_dev(devs: tuple[float, float], chosen: int | None):
    rounds: Any = [[4.0, 3.0, 2.0]]
    times = {"texts": 10, "calls": {"1": {"engine": rounds, "whole": rounds}}}
    assert chosen_of({"dev": 90.0}, [{"dev": dev} for dev in devs], times) == chosen
