"""A small model from labelled texts, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.used_texts import recorded
from leanformer.errors import DataError, LeanformerError
from leanformer.loading import open_predictor
from leanformer.measure import speed
from leanformer.predictor import logits
from leanformer.recipe.quickstart import quickstart
from tests.making.tiny import LABELS, tiny_dataset, tiny_kind_dataset, tiny_texts


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)


def write_csv(path: Path, count: int = 200) -> Path:
    texts, labels = tiny_texts(count, seed=30)
    rows = enumerate(zip(texts, labels, strict=True))
    lines = [f'"{text} {number}",{LABELS[label]}' for number, (text, label) in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    return path


def test_one_file_is_divided_and_the_rows_are_written(tmp_path: Path):
    said: list[str] = []
    data = open_dataset(write_csv(tmp_path / "data.csv"))
    made = quickstart(data, tmp_path / "tiny", threads=1, say=said.append)
    assert made.data == tmp_path / "tiny.data"
    again = open_dataset(made.data)
    assert again.test is not None and again.train is not None
    assert len(again.test) == made.n == 18 and len(again.train) == 162 and len(again.dev or ()) == 20
    assert not set(again.test.texts) & set(again.train.texts)
    assert any("18 rows of train are held out" in line for line in said)
    values = logits(open_predictor(made.artifact, threads=1), again.test.inputs)
    assert made.quality == (values.argmax(axis=1) == again.test.targets).mean() > 0.9
    assert made.low <= made.quality <= made.high and made.constant is not None and made.constant < 0.5
    assert made.texts_per_second > 0 and made.metric == "accuracy"
    used = recorded(made.artifact)
    assert used is not None and used.roles_of(again.test) == ["test"] * 18
    assert made.artifact.history[-1]["step"] == "quickstart"


def test_a_second_run_replaces_the_first(tmp_path: Path):
    for count in (200, 230):
        data = open_dataset(write_csv(tmp_path / "data.csv", count))
        made = quickstart(data, tmp_path / "tiny", threads=1, say=lambda line: None)
    assert made.data is not None
    again = open_dataset(made.data)
    assert sum(len(part or ()) for part in (again.train, again.dev, again.test)) == 230
    (made.data / "notes.txt").write_text("mine")
    with pytest.raises(LeanformerError, match="will not be overwritten\n  remedy: another --output"):
        quickstart(data, tmp_path / "tiny", threads=1, say=lambda line: None)


def test_unlabelled_texts_are_written_with_the_splits(tmp_path: Path):
    """They are what a teacher's answers are learnt from."""
    write_csv(tmp_path / "data" / "train.csv")
    (tmp_path / "data" / "unlabelled.txt").write_text("snow again\nmore rain\n")
    made = quickstart(open_dataset(tmp_path / "data"), tmp_path / "tiny", threads=1, say=lambda line: None)
    assert made.data is not None
    again = open_dataset(made.data)
    assert again.unlabelled is not None and again.unlabelled.texts == ("snow again", "more rain")


def test_a_data_folder_of_somebody_else_is_left_alone(tmp_path: Path):
    """Its files have the names that are written, too; and rows that were corrected by hand are somebody's."""
    data, theirs = open_dataset(write_csv(tmp_path / "data.csv")), tmp_path / "tiny.data" / "train.jsonl"
    theirs.parent.mkdir()
    theirs.write_text("years of labelling")
    with pytest.raises(LeanformerError, match="will not be overwritten\n  remedy: another --output"):
        quickstart(data, tmp_path / "tiny", threads=1, say=lambda line: None)
    assert theirs.read_text() == "years of labelling" and not (tmp_path / "tiny").exists()
    theirs.unlink()
    quickstart(data, tmp_path / "tiny", threads=1, say=lambda line: None)
    theirs.write_text(theirs.read_text() + "\n")
    with pytest.raises(LeanformerError, match="not as an earlier quickstart wrote it"):
        quickstart(data, tmp_path / "tiny", threads=1, say=lambda line: None)


def test_with_a_test_split_nothing_is_written_beside_the_model(tmp_path: Path):
    data = tiny_dataset()
    made = quickstart(data, tmp_path / "tiny", threads=1, say=lambda line: None)
    assert made.n == 60 and made.data is None and not (tmp_path / "tiny.data").exists()
    assert data.test is not None and made.constant == np.bincount(data.test.targets)[0] / 60


def test_scores_have_no_constant_answer(tmp_path: Path):
    made = quickstart(tiny_kind_dataset("regression"), tmp_path / "tiny", threads=1, say=lambda line: None)
    assert made.constant is None and made.quality > 0.5


def test_what_it_cannot_do(tmp_path: Path):
    with pytest.raises(LeanformerError, match="of kind 'pair'"):
        quickstart(tiny_kind_dataset("pair"), tmp_path / "tiny", say=lambda line: None)
    data = tiny_dataset()
    assert data.train is not None
    few = replace(data, train=data.train.select([0, 1]), test=None)
    with pytest.raises(DataError, match="no row of train to spare"):
        quickstart(few, tmp_path / "tiny", say=lambda line: None)
    assert not (tmp_path / "tiny").exists()
