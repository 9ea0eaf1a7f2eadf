"""Training on few rows: in steps, with nothing chosen on dev."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from leanformer.finetune.full import few_steps, on_few
from leanformer.finetune.tuned import Place
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_artifact, tiny_dataset


def test_few_rows_have_as_many_steps_as_more():
    assert few_steps(6) == few_steps(500) == 100
    assert few_steps(1600) == 300 and few_steps(1601) == 303


@pytest.mark.parametrize("adapter", [None, "bitfit"])
def test_dev_is_not_looked_at(adapter: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("leanformer.finetune.full._STEPS", 5)
    encoder, data = str(tiny_artifact(tmp_path / "encoder").path), tiny_dataset()
    data = replace(data, train=data.train and data.train.select(range(20)))
    place = Place(FitSettings(precision="fp32", epochs=7), 32, None, "cpu", lambda line: None)
    first, second = (on_few(encoder, each, place, adapter=adapter) for each in (data, replace(data, dev=None)))
    assert first.options["steps"] == 6 and first.options["epochs"] == 1
    assert first.result["best_epoch"] == 1 and second.result == {}
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
