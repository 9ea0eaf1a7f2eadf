"""`curate.duplicates`: which texts go, and what is told of texts shared with dev and test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.curate.duplicates import Duplicates, first_rows
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.options import options
from leanformer.step import Context
from tests.making.tiny import TASK

QUICK = {"conflicting": "none", "near": 0.8}
BAD = ({"conflicting": "all"}, {"leaked": 1}, {"near": 0}, {"near": 1.5})
DEFAULTS = "2 0f32461765ca"

TRAIN = [("good", 0), ("bad", 1), ("Good ", 0), ("odd", 0), ("ODD", 1), ("in dev", 1), ("fine", 0)]
UNLABELLED = ("new", "New", "bad", "in  dev")


def data(**changes: Any) -> Dataset:
    def labelled(*rows: tuple[str, int]) -> Examples:
        return Examples(TASK, tuple(text for text, _ in rows), tuple(label for _, label in rows))

    there = Dataset(
        TASK, train=labelled(*TRAIN), dev=labelled(("In dev", 1), ("dev alone", 0)),
        unlabelled=Examples(TASK, UNLABELLED, None), overlap={"test_in_train": 3}, notes=("said before",),
    )  # fmt: skip
    return replace(there, **changes)


def curate(tmp_path: Path, there: Dataset, **options: Any) -> tuple[Dataset, list[str]]:
    said: list[str] = []
    context = Context(there, {}, tmp_path, tmp_path, say=said.append)
    return Duplicates(**options)(there, context), said


def texts(examples: Examples | None) -> tuple[str, ...]:
    return () if examples is None else examples.texts


def test_the_first_of_each_text_stays(tmp_path: Path):
    after, said = curate(tmp_path, data())
    assert texts(after.train) == ("good", "bad", "odd", "in dev", "fine")
    assert after.train is not None and after.train.labels == (0, 1, 0, 1, 0)
    assert texts(after.unlabelled) == ("new",), "what train has is known, and dev is told of"
    assert (
        said
        == list(after.notes[1:])
        == [
            "2 of 7 train texts were removed as duplicates",
            "3 of 4 unlabelled texts were removed as duplicates",
            "1 dev texts are also in train",
            "3 test texts are also in train",
        ]
    )


def test_texts_with_different_labels_may_all_go(tmp_path: Path):
    after, _ = curate(tmp_path, data(), conflicting="none")
    assert texts(after.train) == ("good", "bad", "in dev", "fine")


def test_texts_of_dev_may_go_and_dev_stays(tmp_path: Path):
    there = data()
    after, said = curate(tmp_path, there, leaked="remove")
    assert texts(after.train) == ("good", "bad", "odd", "fine")
    assert after.dev is there.dev and not any("dev texts" in line for line in said)


def test_without_any_training_text_left_it_is_an_error(tmp_path: Path):
    there = data()
    assert there.train is not None
    with pytest.raises(DataError, match="leaves no training text"):
        curate(tmp_path, replace(there, train=there.train.select([5]), unlabelled=None), leaked="remove")


def test_the_second_text_of_a_pair_counts():
    assert first_rows(["a\x1fb", "a\x1fc", "a\x1fb"], None) == [0, 1]


LONG = "please send the card to my new address"


def test_near_duplicates_go_only_where_it_is_asked_for(tmp_path: Path):
    rows = (LONG, 0), ("something else entirely", 1), (LONG + ".", 1), ("please send the card to my old home", 0)
    train = Examples(TASK, tuple(text for text, _ in rows), tuple(label for _, label in rows))
    unlabelled = Examples(TASK, (LONG + " now", "a new one"), None)
    there = data(train=train, unlabelled=unlabelled, dev=Examples(TASK, ("something else entirely!",), (1,)))
    after, _ = curate(tmp_path, there)
    assert after.train == train and after.unlabelled == unlabelled
    after, _ = curate(tmp_path, there, near=0.8)
    assert texts(after.train) == (LONG, rows[1][0], rows[3][0]) and texts(after.unlabelled) == ("a new one",)
    after, _ = curate(tmp_path, there, near=0.7, leaked="remove", conflicting="none")
    assert texts(after.train) == (rows[3][0],)


def test_near_is_recorded_only_where_it_is_set():
    assert "near" not in options(Duplicates()) and options(Duplicates(near=0.8))["near"] == 0.8
