"""The kind of a task as its rows tell it, and the errors of rows that are of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.data.carving import strata
from leanformer.data.dataset import open_dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.inputs.kinds import input_of
from leanformer.task import Task
from tests.data.opening import refusal
from tests.making.tiny import tiny_kind_dataset


def write(folder: Path, rows: list[dict[str, Any]], name: str = "train") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


PAIR = {"text": "a", "text_pair": "b", "label": "x"}
SCORED = {"text": "a", "text_pair": "b", "label": 2.5}
SEVERAL = {"text": "a", "labels": ["x", "y"]}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"text": "a", "label": "x"}, "classification"),
        ({"text": "a", "label": 3}, "classification"),
        (PAIR, "pair"),
        (SCORED, "similarity"),
        ({"text": "a", "label": 0.25}, "regression"),
        ({"text": "a", "label": "0.25"}, "regression"),
        (SEVERAL, "multilabel"),
        ({"text": "a", "labels": ["x"]}, "multilabel"),
        ({"text_a": "a", "text_b": "b", "label": "x"}, "pair"),
        ({"sentence1": "a", "sentence2": "b", "label": 1.5}, "similarity"),
        ({"premise": "a", "hypothesis": "b", "label": "x"}, "pair"),
        ({"question": "a", "passage": "b", "label": "x"}, "pair"),
    ],
    ids=str,
)
def test_the_kind_of_a_row(row: dict[str, Any], kind: str, tmp_path: Path) -> None:
    data = open_dataset(str(write(tmp_path / "d", [row] * 4)))
    assert data.task.kind == kind
    assert data.train is not None
    assert data.train.inputs[0] == (("a", "b") if input_of(data.task).paired else "a")


def test_whole_numbers_are_scores_only_beside_fractions_or_when_said(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", [{"text": "a", "label": i} for i in (1, 2, 10)] * 2)
    assert open_dataset(str(whole)).task.labels == ("1", "2", "10")
    said = open_dataset(str(whole), kind="regression")
    assert said.train is not None and said.train.labels is not None
    assert set(said.train.labels) <= {1.0, 2.0, 10.0} and said.task == Task("regression", ())
    mixed = open_dataset(str(write(tmp_path / "mixed", [{"text": "a", "label": i} for i in (1, 2.5, 10)] * 2)))
    assert mixed.task.kind == "regression"
    assert any("taken as scores" in note for note in mixed.notes)
    # 1.0 may be a class that a spreadsheet wrote; nothing is guessed.
    assert "is a decimal number (1.0)" in refusal(write(tmp_path / "ones", [{"text": "a", "label": 1.0}] * 3))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([PAIR, PAIR, {"text": "a", "label": "x"}], "line 3: no second text ('text_pair')"),
        ([PAIR, PAIR, {"text": "a", "text_pair": " ", "label": "x"}], "line 3: no second text ('text_pair')"),
        ([PAIR, PAIR, {"text": "a", "text_pair": 5, "label": "x"}], "line 3: 'text_pair' is an integer"),
        ([{"text": "a", "label": "x"}, {"text": "a", "label": "x"}, PAIR], "line 3: a second text ('text_pair')"),
        ([SCORED, SCORED, {**SCORED, "label": "high"}], "line 3: the label 'high' is not a number"),
        ([SCORED, {**SCORED, "label": float("nan")}], "line 2: the label is nan"),
        ([SCORED, SCORED, {**SCORED, "label": float("inf")}], "line 3: the label is inf"),
        ([SEVERAL, SEVERAL, {"text": "a", "label": "x"}], "line 3: one label ('x')"),
        ([SEVERAL, {"text": "a", "labels": ["x", "x"]}], "line 2: the label 'x' is given twice"),
        ([SEVERAL, {"text": "a", "labels": ["x", 1.5]}], "line 2: 'labels' holds a decimal number"),
        ([SEVERAL, {"text": "a", "labels": ["x", None]}], "line 2: 'labels' holds null"),
        ([SEVERAL, {"text": "a", "labels": ["x"], "label": "y"}], "line 2: both 'label' and 'labels'"),
        ([SEVERAL, {"text": "a"}], "line 2: a train row without a label"),
        ([{"text": "a", "label": "y"}, {"text": "a", "label": ["x"]}], "line 2: the label is a list"),
        ([{**PAIR, "label": None, "labels": ["x"]}], "line 1: pairs of texts with lists of labels are not built"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_row_of_another_kind_is_named(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    assert message in refusal(write(tmp_path / "d", rows))


def test_every_split_is_held_to_the_kind_of_train(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", [PAIR] * 3)
    write(folder, [{"text": "a", "label": "x"}], "test")
    assert "test.jsonl, line 1: no second text" in refusal(folder)
    write(folder, [PAIR], "test")
    write(folder, [{"text": "a"}], "unlabelled")
    assert "unlabelled.jsonl, line 1: no second text" in refusal(folder)
    # What label an unlabelled row has does not matter, for it is not used.
    write(folder, [{**PAIR, "label": 2.5}], "unlabelled")
    assert open_dataset(str(folder)).task.kind == "pair"
    write(folder, [{**PAIR, "label": "z"}], "test")
    assert "'z' is not one of the 1 known labels" in refusal(folder)


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,labels\none,x|y\ntwo,\nthree, y \n")
    data = open_dataset(str(tmp_path))
    assert data.task == Task("multilabel", ("x", "y"))
    labels = {
        text: label
        for part in (data.train, data.dev)
        if part
        for text, label in zip(part.texts, part.labels or (), strict=True)
    }
    assert labels == {"one": (0, 1), "two": (), "three": (1,)}
    # A column `labels` with one name a row is a `label` by another name, as ever, unless it is said to be more.
    (tmp_path / "train.csv").write_text("text,labels\none,x\ntwo,y\n")
    assert "rename 'labels' to 'label'" in refusal(tmp_path)
    assert open_dataset(str(tmp_path), kind="multilabel").task.kind == "multilabel"
    (tmp_path / "train.csv").write_text("text,labels\none,x|x\n")
    assert "line 2: the label 'x' is given twice" in refusal(tmp_path)
    (tmp_path / "train.csv").write_text("text_a,text_b,label\none,eins,0.5\ntwo,zwei,4\n")
    assert open_dataset(str(tmp_path)).task.kind == "similarity"
    (tmp_path / "train.csv").write_text("text_a,text_b,text_a,label\none,eins,x,0.5\n")
    assert "two columns are named 'text_a'" in refusal(tmp_path)


def test_overlap_and_repeats_go_by_both_texts(tmp_path: Path) -> None:
    rows = [{"text": "a", "text_pair": f"b{i}", "label": "xy"[i % 2]} for i in range(30)]
    folder = write(tmp_path / "d", [*rows, {**rows[0], "label": "y"}])
    write(folder, [{"text": "a", "text_pair": "other", "label": "x"}, rows[3]], "test")
    data = open_dataset(str(folder))
    assert data.overlap["test_in_train"] + data.overlap["test_in_dev"] == 1
    assert data.overlap["dev_in_train"] == 0
    assert any("1 train text has conflicting labels" in note for note in data.notes)


def test_the_second_text_counts_in_the_hash() -> None:
    task = Task("pair", ("x",))
    hashes = {
        Examples(task, ("a",), (0,), ("b",)).content_hash,
        Examples(task, ("a",), (0,), ("c",)).content_hash,
        Examples(Task("classification", ("x",)), ("a",), (0,)).content_hash,
    }
    assert len(hashes) == 3


@pytest.mark.parametrize("kind", ["multilabel", "similarity", "regression"])
def test_dev_is_carved_alike_from_all_strata(kind: str, tmp_path: Path) -> None:
    train = tiny_kind_dataset(kind).train
    assert train is not None
    groups = np.array(strata(train))
    assert len(set(groups)) > 2
    if train.task.answer == "labels":
        sizes = train.targets.sum(axis=0)
        for row, group in zip(train.targets, groups, strict=True):
            present = np.flatnonzero(row)
            assert (group == -1) == (len(present) == 0)
            assert len(present) == 0 or sizes[group] == sizes[present].min()
    else:
        order = np.argsort(groups, kind="stable")
        assert (np.diff([train.targets[groups == g].mean() for g in sorted(set(groups))]) > 0).all() and len(order)


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (Task("multilabel", ("x", "y")), (0,)),
        (Task("multilabel", ("x", "y")), ((0, 2),)),
        (Task("multilabel", ("x", "y")), ((1, 0),)),
        (Task("regression", ()), (float("nan"),)),
        (Task("regression", ()), (1,)),
        (Task("classification", ("x",)), (1,)),
    ],
    ids=str,
)
def test_examples_refuse_labels_of_another_form(task: Task, labels: Any) -> None:
    with pytest.raises(ValueError):
        Examples(task, ("a",), labels)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    for kind in ("cloze", "sorting"):
        with pytest.raises(DataError, match="give one of classification, pair, multilabel, similarity, regression"):
            open_dataset(str(write(tmp_path / "d", [PAIR])), kind=kind)
