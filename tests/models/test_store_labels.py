"""The names of a checkpoint's labels, and how they are matched to those of the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertForSequenceClassification

from leanformer.errors import CheckpointError
from leanformer.models.store import import_checkpoint
from tests.making.checkpoints import SIZES, edit, save, save_bert
from tests.making.tiny import LABELS

PLACEHOLDERS = tuple(f"LABEL_{index}" for index in range(12))


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (("sport", "music", "weather"), LABELS, ("sport", "music", "weather")),  # the order of the logits stays
        (("LABEL_0", "LABEL_1", "LABEL_2"), LABELS, LABELS),
        (("label_0", "label_1", "label_2"), LABELS, LABELS),
        (("LABEL_0", "LABEL_1", "LABEL_2"), None, ("LABEL_0", "LABEL_1", "LABEL_2")),
        (("WEATHER", "Music", "sport"), LABELS, ("weather", "music", "sport")),
        (("x", "y", "z"), None, ("x", "y", "z")),
        (LABELS, ("sport", "music"), LABELS),  # a small data set need not show every label
        (PLACEHOLDERS, ("0", "1", "10", "11", *"23456789"), tuple(map(str, range(12)))),
        (PLACEHOLDERS, ("11", "3"), tuple(map(str, range(12)))),
        (("LABEL_0", "LABEL_1", "LABEL_2"), ("1", "10", "2"), ("1", "2", "10")),
        (("LABEL_0", "LABEL_1", "LABEL_2"), ("-1", "0", "1"), ("-1", "0", "1")),
    ],
)
def test_labels_are_reconciled(own: Any, given: Any, expected: Any, tmp_path: Path) -> None:
    artifact = import_checkpoint(str(save_bert(tmp_path / "s", names=own)), tmp_path / "a", labels=given)
    assert artifact.task.labels == expected
    matched = dict(zip(own, expected, strict=True)) if own[0].upper() == "LABEL_0" and given else None
    assert artifact.history[0]["options"].get("labels_matched") == matched


def test_placeholders_that_the_data_uses_too_need_no_matching(tmp_path: Path) -> None:
    names = ("LABEL_0", "LABEL_1", "LABEL_2")
    artifact = import_checkpoint(str(save_bert(tmp_path / "s", names=names)), tmp_path / "a", labels=names)
    assert artifact.task.labels == names and "labels_matched" not in artifact.history[0]["options"]


@pytest.mark.parametrize(
    ("own", "given"),
    [
        (("x", "y", "z"), LABELS),
        (("LABEL_0", "LABEL_1"), LABELS),
        (("LABEL_0", "LABEL_1"), ("1", "2", "3")),
        (("LABEL_0", "LABEL_1", "LABEL_2"), ("2", "3")),
        (("LABEL_1", "LABEL_0", "LABEL_2"), LABELS),
        (("sport", "music"), LABELS),
        (("Music", "MUSIC", "sport"), ("music", "sport", "x")),
    ],
)
def test_labels_that_are_not_the_datas(own: Any, given: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)are not the data's labels.*remedy: set id2label"):
        import_checkpoint(str(save_bert(tmp_path / "s", names=own)), tmp_path / "a", labels=given)


def test_two_placeholder_labels_that_save_pretrained_left_out(tmp_path: Path) -> None:
    source = save(BertForSequenceClassification(BertConfig(**SIZES)), tmp_path / "s")
    assert "id2label" not in json.loads((source / "config.json").read_text())
    assert import_checkpoint(str(source), tmp_path / "a", labels=("no", "yes")).task.labels == ("no", "yes")
    with pytest.raises(CheckpointError, match="are not the data's labels"):
        import_checkpoint(str(source), tmp_path / "b", labels=LABELS)


def test_numbers_as_label_names(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    edit(source / "config.json", id2label={"0": 1, "2": 3, "1": 2})
    assert import_checkpoint(str(source), tmp_path / "a", labels=("1", "2", "3")).task.labels == ("1", "2", "3")
