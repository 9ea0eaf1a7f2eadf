"""The floor of a ladder, and every rung beside it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.first_rungs import FLOOR
from leanformer.ladder import ladder
from leanformer.ladder.choose import choose
from leanformer.ladder.entries import Entry
from leanformer.ladder.floor import make_floor, over_floor
from leanformer.ladder.ladder import measure_ladder
from leanformer.ladder.on_request import Further
from leanformer.linear.fit import fit_linear
from leanformer.linear.predictor import LinearPredictor
from leanformer.measure.speed import SpeedSettings
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.paired import mcnemar
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import chunked, logits
from leanformer.task import Task
from tests.making.tiny import tiny_artifact, tiny_dataset, tiny_kind_dataset

QUICK = SpeedSettings(rounds=1, latency_texts=4, seconds=0.01)


def silent(line: str) -> None:
    pass


def entries_of(artifact: Artifact, floor: tuple[Entry, ...]) -> list[Entry]:
    predictor = TorchPredictor(artifact)
    return [
        Entry("first", None, artifact, predictor, "PyTorch", True, True), *floor,
        Entry("again", "first", artifact, predictor, "PyTorch", True, False),
    ]  # fmt: skip


@pytest.mark.slow
def test_the_floor_is_a_rung_like_the_others_and_is_never_chosen(tmp_path: Path):
    data, teacher = tiny_dataset(), tiny_artifact(tmp_path / "teacher", seed=11)
    floor = make_floor(data, tmp_path, seed=13, say=silent)
    report = measure_ladder(
        entries_of(teacher, floor.entries), data, title="t", metric="accuracy", threads=1, speed=QUICK,
        further=Further(stability=True, robustness=True), say=silent,
    )  # fmt: skip
    rung = report.rungs[1]
    assert data.test is not None and data.dev is not None
    model = fit_linear(data, seed=13)
    expected = np.mean(logits(model.predictor, data.test.inputs).argmax(axis=1) == data.test.targets)
    assert (rung.name, rung.quality, rung.dev_quality) == (FLOOR, expected, model.dev_quality)
    assert rung.quality > 0.9 > report.rungs[0].quality, "the tiny model is not trained"
    assert rung.bytes > 0 and rung.peak_memory_bytes and rung.throughput_per_second > 0
    assert rung.lineage is not None and rung.lineage[0]["options"]["C"] == model.strength
    assert rung.over_floor is None and report.rungs[2].over_floor == report.rungs[0].over_floor
    assert report.rungs[0].over_floor is not None and report.rungs[0].over_floor["high"] < 0
    assert report.rungs[0].over_floor["difference"] == pytest.approx(report.rungs[0].quality - expected)
    for goal in ("throughput", "latency", "size"):
        assert choose(report.rungs, goal=goal, max_drop=100).rung.name != FLOOR
    assert not floor.notes and floor.efforts[0].energy is not None
    assert floor.efforts[0].step == FLOOR and floor.efforts[0].energy["cpu_seconds"] > 0


def test_many_texts_are_scored_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Their sparse vectors take a hundred times as much memory as token ids."""
    data, parts = tiny_dataset(), list[int]()
    assert data.test is not None and len(data.test) > 10
    model = fit_linear(data, seed=13).predictor
    plain = LinearPredictor.infer

    def noted(self: LinearPredictor, rows: list[np.ndarray]) -> np.ndarray:
        parts.append(len(rows))
        return plain(self, rows)

    monkeypatch.setattr(LinearPredictor, "infer", noted)
    monkeypatch.setattr(ladder, "chunked", lambda texts: chunked(texts, 10))
    found = ladder._scored(model, data.test.inputs)
    assert parts == [10] * (len(data.test) // 10) + ([len(data.test) % 10] if len(data.test) % 10 else [])
    assert np.array_equal(found, plain(model, model.tokenize(data.test.inputs)))


def test_the_difference_is_paired(tmp_path: Path):
    data, teacher = tiny_dataset(), tiny_artifact(tmp_path / "teacher", seed=11)
    assert data.test is not None
    entries = entries_of(teacher, make_floor(data, tmp_path, seed=13, say=silent).entries)
    targets = data.test.targets
    right = np.eye(3)[targets]
    wrong = np.roll(right, 1, axis=1)
    ours, floor = right.copy(), right.copy()
    ours[:4], floor[4:14] = wrong[:4], wrong[4:14]
    first, none, last = over_floor(entries, [ours, floor, ours], data.test)
    assert none is None and first is last and first is not None
    gain = np.zeros(len(targets))
    gain[:4], gain[4:14] = -1, 1
    assert first["difference"] == pytest.approx(6 / 60)
    assert (first["low"], first["high"]) == pytest.approx(interval(lambda rows: gain[rows].mean(), 60))
    assert first["mcnemar_p"] == mcnemar(4, 10)
    assert over_floor([entries[0], entries[2]], [ours, ours], data.test) == [None, None]


def test_scores_have_no_test_of_flipped_answers(tmp_path: Path):
    data = tiny_kind_dataset("similarity")
    assert data.test is not None
    (entry,) = make_floor(data, tmp_path, seed=13, say=silent).entries
    good, bad = (sign * data.test.targets[:, None] for sign in (1.0, -1.0))
    beside = over_floor([replace(entry, name="good"), entry], [good, bad], data.test)[0]
    assert beside is not None
    assert beside["difference"] == pytest.approx(2) and beside["low"] > 1.9 and beside["mcnemar_p"] is None


def test_it_is_kept_by_what_it_was_made_from(tmp_path: Path):
    data, said = tiny_dataset(), list[str]()
    first = make_floor(data, tmp_path, seed=13, say=said.append)
    assert data.test is not None
    again = make_floor(
        replace(data, test=data.test.select(range(9))), tmp_path, seed=13, say=said.append
    )  # fmt: skip
    assert ["training" in line for line in said] == [True, False] and "found in" in said[1]
    assert again.entries[0].artifact.content_hash == first.entries[0].artifact.content_hash
    assert again.efforts == first.efforts, "what training took is told again"
    make_floor(data, tmp_path, seed=14, say=said.append)
    assert data.train is not None
    make_floor(replace(data, train=data.train.select(range(90))), tmp_path, seed=13, say=said.append)
    assert ["training" in line for line in said[2:]] == [True, True]


def test_without_labelled_texts_there_is_none(tmp_path: Path):
    floor = make_floor(replace(tiny_dataset(), train=None), tmp_path, seed=13, say=silent)
    assert not floor.entries and floor.notes == (f"no floor ({FLOOR}): there are no labelled training texts",)


def test_for_tags_there_is_none(tmp_path: Path):
    floor = make_floor(Dataset(task=Task("tokens", ("O", "B-x", "I-x"))), tmp_path, seed=13, say=silent)
    assert not floor.entries and "not built for answers of the form 'tags'" in floor.notes[0]


def test_without_scikit_learn_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    floor = make_floor(tiny_dataset(), tmp_path, seed=13, say=silent)
    assert not floor.entries and not floor.efforts
    assert "not measured" in floor.notes[0] and "pip install 'leanformer[train]'" in floor.notes[0]
