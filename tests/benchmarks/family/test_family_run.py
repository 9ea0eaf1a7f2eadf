"""Members beside their twins on tiny data: the same shapes, equal shares of time, and nothing is made twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.family import run
from benchmarks.family.run import Families, compared
from benchmarks.xtremedistil import cell_store
from leanformer.measure.speed import SpeedSettings
from leanformer.models.store import read_model
from leanformer.train.settings import FitSettings
from leanformer.tune import time_model
from tests.making.commands import write_lines
from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset


@pytest.fixture
def families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Families:
    data = tiny_dataset()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        write_lines(tmp_path / "data" / "tiny" / f"{split}.jsonl", rows)
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(run.TEACHERS, "tiny", {"splits": {}, "settings": FitSettings(epochs=1, batch_size=16)})
    monkeypatch.setattr(run, "RATE_STEPS", 1)
    monkeypatch.setattr(run, "SpeedSettings", lambda **given: SpeedSettings(rounds=1, latency_texts=4, seconds=0.01))
    monkeypatch.setattr(time_model, "SHAPES", 2)
    monkeypatch.setattr(time_model, "ROUNDS", 1)
    monkeypatch.setattr(cell_store, "_module", lambda: "benchmarks.family.run")
    monkeypatch.setattr(cell_store, "provenance", lambda threads, since: {})  # it looks at the whole machine
    monkeypatch.setattr(cell_store, "watch", lambda: None)
    encoder = tiny_artifact(tmp_path / "encoder").path
    made = Families("tiny", str(encoder), tmp_path / "work", None, members=2, steps=4, train=60, dev=30)
    made.supernet_step = replace(made.supernet_step, batch_size=32)
    return made


@pytest.mark.slow
def test_each_member_has_a_twin_of_its_shape(families: Families, monkeypatch: pytest.MonkeyPatch):
    found = families.rows([13])
    assert [(row["depth"], row["width"]) for row in found["members"]] == [(1.0, 0.75), (0.33, 0.25)]
    assert found["steps"] == 4 and found["n"] == {"dev": 30, "test": 60}
    for row, extract in zip(found["members"], families.extracts, strict=True):
        twin, cell = families.twin(extract, 13)
        assert [[layer.heads, layer.ffn] for layer in read_model(twin).config.layers] == row["layers"]
        assert cell["settings"]["step"]["layers"] == [layer + 1 for layer in families.member(extract).layers]
        assert (
            row["latency_ms"] > 0 < row["predicted_ms"]
            and row["bytes"] > 0
            and row["low"] <= row["gain"] <= row["high"]
        )
    kinds = [cell["settings"]["kind"] for cell in families.cells.all()]
    assert sorted(kinds) == ["pair", "pair", "rate", "rate", "supernet", "twin", "twin"]
    assert str(families.work.parent) not in json.dumps(families.cells.all()), "no path of a machine"

    def refused(*arguments: Any, **options: Any) -> None:
        raise AssertionError("made twice")

    for name in ("Distil", "Supernet"):
        monkeypatch.setattr(getattr(run, name), "__call__", refused)
    again = families.rows([13])
    for row, before in zip(again["members"], found["members"], strict=True):
        assert row["quality"] == before["quality"] and row["twin_quality"] == before["twin_quality"]


def test_the_time_of_the_twins_is_shared_equally(families: Families, monkeypatch: pytest.MonkeyPatch):
    teacher = families.teacher()
    monkeypatch.setattr(families, "supernet", lambda seed: (teacher, {"cpu_seconds": 40.0}))
    monkeypatch.setattr(families, "seconds_per_step", lambda extract: 2.0 if extract.depth == 1.0 else 0.5)
    asked: list[Any] = []
    monkeypatch.setattr(families, "_trained", lambda kind, step, seed, teacher: asked.append(step.epochs))
    for extract in families.extracts:
        families.twin(extract, 13)
    assert asked == [5, 20]  # 20 s each: 10 steps of 2 s, 40 of half a second, two steps an epoch


def test_gains_are_those_on_test():
    cells = [{"dev": ["11", "10"], "test": ["1101", "1001"]}, {"dev": ["11", "00"], "test": ["1101", "1001"]}]
    found = compared(cells)
    assert (found["dev"], found["twin_dev"]) == (100.0, 25.0)
    assert (found["quality"], found["twin_quality"], found["gain"], found["n"]) == (75.0, 50.0, 25.0, 4)
