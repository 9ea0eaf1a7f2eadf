"""Every oddity of `id2label` is told by name, and its remedy works."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from leanformer.errors import CheckpointError
from leanformer.models.store import import_checkpoint
from tests.making.checkpoints import edit, save_bert

NAMES = ("bad", "fair", "good")
RIGHT = {"0": "bad", "1": "fair", "2": "good"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("checkpoint") / "s", names=NAMES)


@pytest.fixture
def source(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "s"))


@pytest.fixture(scope="module")
def accepted() -> dict[str, tuple[str, ...]]:
    """The labels of folders that differ in config.json alone, by its text: most remedies come to the same folder."""
    return {}


def labels_of(source: Path, accepted: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    config = (source / "config.json").read_text()
    if config not in accepted:
        accepted[config] = import_checkpoint(str(source), source.parent / "a").task.labels
    return accepted[config]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"0": "good", "1": "fair", "2": "good"}, r"id2label gives logits 0 and 2 the same name, 'good'"),
        ({"bad": "bad", "fair": "fair", "good": "good"}, r"id2label has the key 'bad', which is not the number"),
        ({"bad": 0, "fair": 1, "good": 2}, r"id2label has the key 'bad'"),
        ({"00": "bad", "01": "fair", "02": "good"}, r"id2label has the key '00'"),
        ({"0.0": "bad", "1.0": "fair", "2.0": "good"}, r"id2label has the key '0.0'"),
        ({"-1": "bad", "0": "fair", "1": "good"}, r"id2label has the key '-1'"),
        ({"٠": "bad", "١": "fair", "٢": "good"}, r"id2label has the key '٠'"),
        ({"LABEL_0": "bad", "LABEL_1": "fair", "LABEL_2": "good"}, r"id2label has the key 'LABEL_0'"),
        (["bad", "fair", "good"], r'id2label is a list.*write it as \{"0": "bad", "1": "fair", "2": "good"\}'),
        (["bad", None], r"id2label is a list"),
        ([], r"id2label is a list"),
        ("bad, fair, good", r"id2label is a str"),
        (3, r"id2label is a int"),
        ({"0": None, "1": "fair", "2": "good"}, r"id2label names logit 0 null, which is not a text"),
        ({"0": "bad", "1": True, "2": "good"}, r"id2label names logit 1 true"),
        ({"0": "bad", "1": 0.5, "2": "good"}, r"id2label names logit 1 0\.5"),
        ({"0": "bad", "1": ["fair"], "2": "good"}, r'id2label names logit 1 \["fair"\]'),
        ({"0": "", "1": "fair", "2": "good"}, r"id2label: the name of logit 0 is empty"),
        ({"0": "bad", "1": " ", "2": "good"}, r"id2label: the name of logit 1 is empty"),
        ({"0": "bad", "1": "f\ud800", "2": "good"}, r"id2label: the name of logit 1 is half of a character"),
        ({"0": "bad", "1": 1, "2": "1"}, r"id2label gives logits 1 and 2 the same name, '1'"),
        ({"0": "bad", "2": "fair", "3": "good"}, r"id2label has 3 names up to number 3, and none for logit 1"),
        ({"1": "bad", "2": "fair", "3": "good"}, r"id2label has 3 names up to number 3, and none for logit 0"),
        ({"0": "bad", "1": "good"}, r"id2label stands for 2 labels, and the classifier's weights have 3 logits"),
        (RIGHT | {"3": "best"}, r"id2label stands for 4 labels, and the classifier's weights have 3 logits"),
        (None, r"the missing id2label stands for 2 labels, and the classifier's weights have 3 logits"),
        ({}, r"the missing id2label stands for 2 labels"),
    ],
    ids=str,
)
def test_what_names_no_logits(
    given: Any, message: str, tmp_path: Path, source: Path, accepted: dict[str, tuple[str, ...]]
) -> None:
    edit(source / "config.json", id2label=given, label2id=None)
    with pytest.raises(CheckpointError, match=f"(?s)config.json: {message}") as raised:
        import_checkpoint(str(source), tmp_path / "a")
    assert "\n  remedy: " in str(raised.value)
    assert not (tmp_path / "a").exists()
    str(raised.value).encode()  # the message itself can be printed
    edit(source / "config.json", id2label=RIGHT)  # what each remedy comes to
    assert labels_of(source, accepted) == NAMES


@pytest.mark.parametrize("count", ["three", 0, -1, 2.5, True, [3], None])
def test_a_number_of_labels_that_is_none(
    count: Any, tmp_path: Path, source: Path, accepted: dict[str, tuple[str, ...]]
) -> None:
    edit(source / "config.json", id2label=None, label2id=None, num_labels=count)
    with pytest.raises(CheckpointError, match=r"(?s)config.json: num_labels is .*remedy: "):
        import_checkpoint(str(source), tmp_path / "a")
    edit(source / "config.json", num_labels=3)
    assert labels_of(source, accepted) == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize(
    ("reverse", "message"),
    [
        ({"good": 0, "fair": 1, "bad": 2}, "label2id has 'good' for 0"),
        ({"bad": 0, "fair": 1, "great": 2}, "label2id has 'great' for 2"),
        ({"bad": 0, "fair": 1}, "label2id has no 'good'"),
        ({"bad": 0, "fair": 1, "good": 1}, "label2id has 'good' for 1"),
        ({"bad": "zero", "fair": 1, "good": 2}, "label2id has 'bad' for \"zero\""),
    ],
    ids=str,
)
def test_two_tables_that_disagree(
    reverse: Any, message: str, tmp_path: Path, source: Path, accepted: dict[str, tuple[str, ...]]
) -> None:
    edit(source / "config.json", label2id=reverse)
    with pytest.raises(CheckpointError, match=f"(?s)id2label and label2id disagree: {message}.*remedy: "):
        import_checkpoint(str(source), tmp_path / "a")
    edit(source / "config.json", label2id=None)
    assert labels_of(source, accepted) == NAMES


@pytest.mark.parametrize(
    "reverse",
    [{"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, {"bad": "0", "fair": "1", "good": "2"}, {}, None, {"NOUN": 0}, "-"],
    ids=str,
)
def test_a_second_table_that_says_nothing_else(
    reverse: Any, source: Path, accepted: dict[str, tuple[str, ...]]
) -> None:
    edit(source / "config.json", label2id=reverse)
    assert labels_of(source, accepted) == NAMES
