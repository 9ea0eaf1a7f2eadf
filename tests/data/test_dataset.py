"""Opening folders and files: splits, label sets, refusals, notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import open_dataset
from tests.data.opening import TRAIN, Write, refusal


def test_folder_with_all_splits(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *TRAIN)
    (tmp_path / "validation.csv").write_text("text,label\nnice,yes\n")
    (tmp_path / "test.tsv").write_text("text\tlabel\nawful\tno\n")
    (tmp_path / "unlabelled.txt").write_text("one\ntwo\n")
    (tmp_path / "README.md").write_text("ignored")
    data = open_dataset(str(tmp_path))
    assert data.name == tmp_path.name
    assert data.task.labels == ("no", "yes")
    assert data.notes == ()
    assert data.train is not None
    assert data.train.labels == (1, 0, 1, 0)
    assert data.dev is not None
    assert data.dev.texts == ("nice",)
    assert data.dev.source.endswith("validation.csv")
    assert data.test is not None
    assert data.test.labels == (0,)
    assert data.unlabelled is not None
    assert data.unlabelled.texts == ("one", "two")
    assert not data.unlabelled.is_labelled
    assert data.dev_rows is None
    assert data.overlap == {"dev_in_train": 0, "test_in_train": 0, "test_in_dev": 0, "test_in_unlabelled": 0}


def test_only_test_or_only_unlabelled(tmp_path: Path, write: Write) -> None:
    path = write("test.jsonl", ("a", "x"), ("b", 2))
    data = open_dataset(str(tmp_path))
    assert data.train is None
    assert data.dev is None
    assert data.task.labels == ("2", "x")
    path.rename(tmp_path / "unlabeled.jsonl")
    data = open_dataset(str(tmp_path))
    assert data.test is None
    assert data.unlabelled is not None
    assert "2 of 2 unlabelled rows have a label, which is not used" in data.notes


def test_labels_given(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *TRAIN)
    data = open_dataset(str(tmp_path), labels=["yes", "maybe", "no"])
    assert data.train is not None
    assert data.task.labels == ("yes", "maybe", "no")
    assert "train has no example of maybe" in data.notes
    assert "'no' is not one of the 1 known labels: yes" in refusal(tmp_path, labels=["yes"])
    assert "given twice" in refusal(tmp_path, labels=["yes", "yes"])
    assert "cannot be a label name" in refusal(tmp_path, labels=["yes", " "])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((10, 9, 0, 2, 11, 1), ("0", "1", "2", "9", "10", "11")),
        ((1, "-1", 0), ("-1", "0", "1")),
        (("10", "9", "x"), ("10", "9", "x")),
        (("10", "9", "01"), ("01", "10", "9")),  # no integer is written "01"
    ],
)
def test_integers_as_labels_are_in_the_order_of_their_values(labels: Any, expected: Any, write: Write) -> None:
    rows = [(f"text {i}", label) for i, label in enumerate(labels)]
    data = open_dataset(str(write("train.jsonl", *rows)))
    assert data.task.labels == expected
    assert data.train is not None and data.train.labels is not None
    shown = {text: data.task.labels[label] for text, label in zip(data.train.texts, data.train.labels, strict=True)}
    assert all(shown[text] == str(label) for text, label in rows if text in shown)


def test_unknown_label_names_file_line_and_labels(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *TRAIN)
    path = write("test.jsonl", ("a", "yes"), ("b", "yess"))
    message = refusal(tmp_path)
    assert f"{path}, line 2: the label 'yess' is not one of the 2 known labels: no, yes" in message
    assert "write 'yes'" in message


def test_test_without_labels(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *TRAIN)
    path = write("test.jsonl", "a", "b")
    message = refusal(tmp_path)
    assert f"{path}, line 1: a test row without a label (no row has a label)" in message
    assert "rename the file to 'unlabelled'" in message
    assert "--split test=" in message


@pytest.mark.parametrize("name", ["train.jsonl", "dev.jsonl", "test.jsonl"])
def test_partly_labelled(tmp_path: Path, write: Write, name: str) -> None:
    write("train.jsonl", *TRAIN)
    path = write(name, ("a", "yes"), ("b", "no"), "c", ("d", "yes"), "e")
    assert f"{path}, line 3: a {path.stem} row without a label (2 of 5 rows without)" in refusal(tmp_path)


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(
        '{"text": "a", "text_pair": "b", "label": "x"}\n{"text": "a", "text_pair": "c", "label": "y"}\n'
    )
    data = open_dataset(str(tmp_path), kind="pair")
    assert data.train is not None
    assert data.train.pairs == ("b", "c")
    assert data.task.kind == "pair"
    assert not any("repeat" in note for note in data.notes)
    assert open_dataset(str(tmp_path)).task.kind == "pair"
    assert "line 1: a second text ('text_pair'), but these are single texts" in refusal(tmp_path, kind="classification")
    assert "line 1: no context ('context')" in refusal(tmp_path, kind="span")
    assert "examples of kind 'essay' cannot be read" in refusal(tmp_path, kind="essay")


def test_overlap_is_counted_and_kept(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", ("Good Film", "yes"), ("bad", "no"), ("x", "no"))
    write("dev.jsonl", ("BAD", "no"), ("new", "yes"))
    # Full-width letters, another case and other white space are the same text.
    write("test.jsonl", ("good\u00a0 film", "yes"), ("\uff42\uff41\uff44", "no"), ("other", "no"), ("good film", "no"))
    write("unlabelled.jsonl", "other")
    data = open_dataset(str(tmp_path))
    assert data.overlap == {"dev_in_train": 1, "test_in_train": 3, "test_in_dev": 1, "test_in_unlabelled": 1}
    assert "3 of 4 test texts are also in train; none was removed" in data.notes
    assert data.test is not None
    assert len(data.test) == 4


def test_duplicates_and_conflicts_are_noted(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", ("a", "x"), ("b", "x"), ("A", "x"), ("b", "y"), ("b", "y"))
    write("dev.jsonl", ("c", "x"))
    notes = open_dataset(str(tmp_path)).notes
    assert "3 of 5 train rows repeat the text of an earlier one; none was removed" in notes
    assert "1 train text has conflicting labels, the first on lines 2 (x) and 4 (y)" in notes


def test_dev_is_taken_from_train(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *((f"text {i}", "even" if i % 2 == 0 else "odd") for i in range(100)))
    data = open_dataset(str(tmp_path))
    assert data.train is not None
    assert data.dev is not None
    assert data.dev_rows is not None
    assert (len(data.train), len(data.dev), data.dev.labels.count(0) if data.dev.labels else 0) == (90, 10, 5)
    assert data.dev.texts == tuple(f"text {i}" for i in data.dev_rows)
    assert "there is no dev split: 10 of 100 train rows were taken as dev (seed 13)" in data.notes
    assert data.content_hash == open_dataset(str(tmp_path)).content_hash
    assert data.dev_rows != open_dataset(str(tmp_path), seed=14).dev_rows
    assert data.overlap == {"dev_in_train": 0}


def test_no_dev_can_be_spared(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", ("a", "x"), ("b", "y"))
    data = open_dataset(str(tmp_path))
    assert data.dev is None
    assert data.dev_rows is None
    assert data.train is not None
    assert len(data.train) == 2
    assert "no row of the 2 in train could be spared" in data.notes[0]


def test_one_label_is_noted(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", ("a", "x"), ("b", "x"))
    assert "every train example has the same label, 'x'" in open_dataset(str(tmp_path)).notes


def test_dev_stays_in_train_where_that_is_asked_for(tmp_path: Path, write: Write) -> None:
    write("train.jsonl", *((f"text {row}", "yes" if row % 2 else "no") for row in range(40)))
    data = open_dataset(tmp_path, carve=False)
    assert data.dev is None and data.dev_rows is None and data.train is not None
    assert data.train.lines == tuple(range(1, 41)) and not any("dev" in note for note in data.notes)
    carved = open_dataset(tmp_path)
    assert carved.dev is not None and carved.dev_rows is not None
    assert carved.dev.lines == tuple(row + 1 for row in carved.dev_rows)
