"""A ladder tells which part of test a model may have been trained on, and quality without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.forms import score_logits
from leanformer.data.dataset import Dataset
from leanformer.data.used_texts import UsedTexts, attach
from leanformer.ladder.entries import Entry
from leanformer.ladder.ladder import calibrated_on, measure_ladder
from leanformer.measure.speed import SpeedSettings
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.report import Report
from tests.making.tiny import tiny_artifact, tiny_dataset

LEAKED = 15


@pytest.fixture(scope="module")
def leaky() -> Dataset:
    """Test texts of which the first are in train, one written in other letters."""
    data = tiny_dataset()
    assert data.train is not None and data.test is not None
    copied = replace(data.test.select(range(LEAKED)), texts=(data.test.texts[0].upper(), *data.test.texts[1:LEAKED]))
    assert copied.labels is not None and data.train.labels is not None
    train = replace(
        data.train, texts=(*data.train.texts, *copied.texts), labels=(*data.train.labels, *copied.labels)
    )  # fmt: skip
    return replace(data, train=train)


def measured(folder: Path, data: Dataset) -> Report:
    entries = []
    for name, seed in (("first", 11), ("second", 12)):
        artifact = tiny_artifact(folder / name, seed=seed)
        after = "first" if entries else None
        entries.append(Entry(name, after, artifact, TorchPredictor(artifact), "PyTorch", True, False))
    return measure_ladder(
        entries, data, title="t", metric="accuracy", threads=1, memory=False,
        speed=SpeedSettings(rounds=1, latency_texts=2, seconds=0.001),
    )  # fmt: skip


def test_a_rung_has_its_quality_on_clean_test(tmp_path: Path, leaky: Dataset) -> None:
    report = measured(tmp_path, leaky)
    before = tiny_dataset()
    assert leaky.test is not None and before.train is not None and before.test is not None
    rows = [i for i in range(LEAKED, len(leaky.test)) if leaky.test.texts[i] not in before.train.texts]
    assert report.data["leaks"]["test"]["exact"] == len(leaky.test) - len(rows) >= LEAKED
    assert report.data["leaks"]["test"]["compared"][0] == "train" and report.data["leaks"]["dev"] is not None
    qualities = []
    for rung in report.rungs:
        artifact = tiny_artifact(tmp_path / f"again {rung.name}", seed=11 if rung.name == "first" else 12)
        values = logits(TorchPredictor(artifact), leaky.test.inputs)
        qualities.append(score_logits(values[rows], leaky.test.targets[rows], artifact.task))
        assert (rung.n, rung.n_clean) == (len(leaky.test), len(rows))
        assert rung.quality_clean == pytest.approx(qualities[-1]) and rung.n_distinct is not None
        assert rung.n_distinct <= len(rows)
    assert report.rungs[1].drop_clean == pytest.approx(qualities[0] - qualities[1])
    assert report.rungs[0].drop_clean == 0
    stored = json.loads(json.dumps(report.to_json()))["rungs"][1]
    assert np.isclose(stored["quality_clean"], qualities[1]) and stored["n_clean"] == len(rows)


def test_without_train_nothing_is_claimed(tmp_path: Path, leaky: Dataset) -> None:
    report = measured(tmp_path, replace(leaky, train=None, unlabelled=None))
    assert report.data["leaks"] == {"test": None, "dev": None}
    assert all(rung.n_clean is None and rung.quality_clean is None for rung in report.rungs)


def test_a_model_that_was_calibrated_on_test_is_named(tmp_path: Path) -> None:
    data = tiny_dataset()
    assert data.test is not None and data.dev is not None
    used = UsedTexts.of(calibration=data.test.select(range(7)), dev=data.dev)
    entries = []
    for name, record in (("both", used), ("other", UsedTexts.of(test=data.test))):
        artifact = attach(tiny_artifact(tmp_path / name), record)
        entries.append(Entry(name, None, artifact, TorchPredictor(artifact), "PyTorch", True, False))
    report = measure_ladder(
        entries, data, title="t", metric="accuracy", threads=1, memory=False,
        speed=SpeedSettings(rounds=1, latency_texts=2, seconds=0.001),
    )  # fmt: skip
    (said,) = [note for note in report.notes if "calibrate" in note]
    assert said == "both: 7 of 60 test texts were used to calibrate it, so that its test figures may be too good"
    (entries[0].artifact.path / "used_texts.bin").unlink()
    assert calibrated_on(data.test, entries) == []
