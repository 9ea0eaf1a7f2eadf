"""Which file is which split: single files, names of files, files named by the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.data.dataset import open_dataset
from tests.data.opening import TRAIN, Write, refusal


def test_single_files(tmp_path: Path, write: Write) -> None:
    data = open_dataset(str(write("reviews.jsonl", *TRAIN)))
    assert data.name == "reviews"
    assert data.train is not None
    assert data.unlabelled is None
    data = open_dataset(str(write("raw.jsonl", "a", "b")), labels=["x", "y"])
    assert data.train is None
    assert data.unlabelled is not None
    assert data.task.labels == ("x", "y")
    assert "raw.jsonl has no labels, so its 2 rows are taken as unlabelled" in data.notes[0]
    (tmp_path / "raw.txt").write_text("a\n")
    data = open_dataset(str(tmp_path / "raw.txt"))
    assert data.unlabelled is not None
    assert data.task.labels == ()


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.jsonl", "train"),
        ("reviews.jsonl", "train"),
        ("test_reviews.jsonl", "train"),
        ("dev.jsonl", "dev"),
        ("valid.jsonl", "dev"),
        ("validation.jsonl", "dev"),
        ("test.jsonl", "test"),
        ("unlabelled.jsonl", "unlabelled"),
    ],
)
def test_a_single_file_is_the_split_that_its_name_says(name: str, split: str, write: Write) -> None:
    path = str(write(name, *TRAIN))
    data = open_dataset(path, labels=["no", "yes"])
    there = [part for part in ("train", "dev", "test", "unlabelled") if getattr(data, part) is not None]
    assert there == (["train", "dev"] if split == "train" else [split])  # where there is train, dev is taken from it
    data = open_dataset(path, labels=["no", "yes"], single="test")
    assert data.test is not None and len(data.test) == 4
    assert data.train is None and data.dev is None and data.unlabelled is None


def test_a_single_file_to_test_on_needs_labels(write: Write) -> None:
    assert "no row has a label, so it cannot be the test split" in refusal(write("test.jsonl", "a"), single="test")
    assert "line 2: a test row without a label" in refusal(write("test.jsonl", ("a", "x"), "b"), single="test")


def test_single_file_whose_label_has_another_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "intent": "x"}\n')
    assert "if 'intent' holds the label, rename it" in open_dataset(str(tmp_path / "a.jsonl")).notes[0]
    (tmp_path / "train.jsonl").write_text('{"text": "a", "intent": "x"}\n')
    assert "rename 'intent' to 'label'" in refusal(tmp_path)


def test_two_files_for_one_split(tmp_path: Path, write: Write) -> None:
    write("dev.jsonl", *TRAIN)
    write("valid.jsonl", *TRAIN)
    message = refusal(tmp_path)
    assert "dev.jsonl and valid.jsonl" in message
    assert "--split dev=dev.jsonl" in message
    (tmp_path / "valid.jsonl").rename(tmp_path / "dev.csv")
    assert "dev.csv and dev.jsonl" in refusal(tmp_path)


def test_named_splits(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *TRAIN)
    write("train_phrases.jsonl", ("a", "x"), ("b", "y"))
    write("held_out.jsonl", ("c", "x"))
    data = open_dataset(str(tmp_path), splits={"train": "train_phrases", "validation": "held_out.jsonl"})
    assert data.task.labels == ("x", "y")
    assert data.dev is not None
    assert data.dev.texts == ("c",)
    message = refusal(tmp_path, splits={"train": "train_phrase"})
    assert "held_out.jsonl, train.jsonl, train_phrases.jsonl" in message
    assert "did you mean 'train_phrases'" in message
    assert "there is no split 'trian'" in refusal(tmp_path, splits={"trian": "train"})
    assert "named twice" in refusal(tmp_path, splits={"dev": "train", "valid": "train"})
    write("train_phrases.csv", ("a", "x"))
    assert "train_phrases.csv and train_phrases.jsonl" in refusal(tmp_path, splits={"train": "train_phrases"})
    assert "only in a folder" in refusal(tmp_path / "train.jsonl", splits={"train": "train"})


def test_a_file_is_one_split_only(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *((f"text {i}", "x" if i % 2 else "y") for i in range(40)))
    write("dev.jsonl", ("a", "x"), ("b", "y"))
    data = open_dataset(str(tmp_path), splits={"test": "dev"})
    assert data.test is not None and data.test.texts == ("a", "b")
    assert data.dev is not None and data.dev_rows is not None
    assert data.overlap == {"dev_in_train": 0, "test_in_train": 0, "test_in_dev": 0}
    # Another file of that split is found as ever, and there is no question of which.
    write("valid.jsonl", ("c", "x"))
    data = open_dataset(str(tmp_path), splits={"test": "dev.jsonl"})
    assert data.dev is not None and data.dev.texts == ("c",)
    assert open_dataset(str(tmp_path), splits={"test": "train", "dev": "dev"}).train is None


@pytest.mark.parametrize("value", ["dev", "dev.jsonl", "./dev", "link.jsonl"])
def test_a_file_named_for_two_splits(tmp_path: Path, write: Write, value: str) -> None:
    write("train.jsonl", *TRAIN)
    write("dev.jsonl", *TRAIN)
    (tmp_path / "link.jsonl").symlink_to("dev.jsonl")
    assert "'dev.jsonl' is named for both dev and test" in refusal(tmp_path, splits={"dev": "dev", "test": value})


@pytest.mark.parametrize("value", ["../train", "sub/../../train.jsonl", "/etc/passwd", ""])
def test_named_split_outside_the_folder(tmp_path: Path, value: str) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "x"}\n')
    (tmp_path / "data").mkdir()
    assert "lies outside the folder" in refusal(tmp_path / "data", splits={"train": value})


def test_folder_without_splits_and_text_as_train(tmp_path: Path) -> None:
    (tmp_path / "reviews.jsonl").touch()
    assert "the files here are reviews.jsonl" in refusal(tmp_path)
    (tmp_path / "train.txt").write_text("a\n")
    assert "train.txt: a .txt file has no labels" in refusal(tmp_path)
    assert "no such file or folder" in refusal(tmp_path / "gone")
