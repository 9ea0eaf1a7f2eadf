"""Reading through the `datasets` library: local folders of JSON Lines, and what is done with their columns."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.errors import DataError, MissingExtraError


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write records as JSON Lines files by split and return the name under which to open them."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    (tmp_path / "data").mkdir()

    def write(**splits: list[dict[str, Any]]) -> str:
        for split, records in splits.items():
            content = "".join(json.dumps(record) + "\n" for record in records)
            (tmp_path / "data" / f"{split}.jsonl").write_text(content)
        monkeypatch.chdir(tmp_path)
        return "hub:./data"

    return write


def records(column: str, *rows: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{column: text, "label": label} for text, label in rows]


def test_local_folder(hub: Callable[..., str]) -> None:
    name = hub(
        train=records("sentence", ("a", "x"), ("b", "y")),
        validation=records("sentence", ("c", "x")),
        test=records("sentence", ("d", "y")),
    )
    data = open_dataset(name)
    assert data.name == "data"
    assert data.task.labels == ("x", "y")
    assert data.train is not None
    assert data.train.texts == ("a", "b")
    assert data.dev is not None
    assert data.dev.texts == ("c",)
    assert data.dev_rows is None
    assert data.test is not None
    assert data.test.labels == (1,)
    assert "hub:./data, split test" in data.test.source


def test_withheld_test_labels(hub: Callable[..., str]) -> None:
    name = hub(train=records("text", ("a", 0), ("b", 1)), test=records("text", ("c", -1), ("d", -1)))
    data = open_dataset(name)
    assert data.test is None
    assert data.unlabelled is not None
    assert data.unlabelled.texts == ("c", "d")
    assert any("the labels of the 2 test rows are withheld" in note for note in data.notes)


def test_class_names_and_named_splits(hub: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"question": datasets.Value("string"), "kind": datasets.ClassLabel(names=["no", "yes"])}
    )

    def made(texts: list[str], labels: list[int]) -> Any:
        return datasets.Dataset.from_dict({"question": texts, "kind": labels}, features=features)

    loaded = datasets.DatasetDict({"train": made(["a", "b"], [1, 0]), "validation_matched": made(["c", "d"], [1, 1])})
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config: loaded)
    data = open_dataset("hub:somebody/something:small", splits={"dev": "validation_matched"})
    assert data.name == "somebody/something"
    assert data.task.labels == ("no", "yes")
    assert data.train is not None
    assert data.train.labels == (1, 0)
    assert data.dev is not None
    assert data.dev.labels == (1, 1)
    assert "splits that were not read: validation_matched" in open_dataset("hub:somebody/something").notes
    with pytest.raises(DataError, match="there is no split 'valid'; its splits are train, validation_matched"):
        open_dataset("hub:somebody/something", splits={"dev": "valid"})


def test_unclear_columns(hub: Callable[..., str]) -> None:
    name = hub(train=[{"question": "a", "content": "b", "label": "x"}])
    with pytest.raises(DataError, match=r"cannot tell the text column; the columns are question, content, label"):
        open_dataset(name)
    with pytest.raises(DataError, match="cannot tell the two text columns"):
        open_dataset(name, kind="pair")


def test_pairs(hub: Callable[..., str]) -> None:
    name = hub(train=[{"premise": "a", "hypothesis": f"b{i}", "label": "xy"[i % 2]} for i in range(4)])
    data = open_dataset(name, kind="pair")
    assert data.train is not None
    assert data.train.pairs is not None
    assert data.train.pairs[0].startswith("b")


@pytest.mark.parametrize("columns", [("premise", "hypothesis"), ("question", "passage"), ("text", "text_pair")])
def test_pairs_are_refused_where_single_texts_are_read(hub: Callable[..., str], columns: tuple[str, str]) -> None:
    name = hub(train=[{columns[0]: "a", columns[1]: "b", "label": "x"}])
    with pytest.raises(DataError, match=r"(?s)single texts.*remedy: .*join the two"):
        open_dataset(name, kind="classification")
    assert open_dataset(name).task.kind == "pair"


def test_a_split_is_one_of_ours_only(hub: Callable[..., str]) -> None:
    rows = records("text", *((f"text {i}", "xy"[i % 2]) for i in range(40)))
    name = hub(train=rows, validation=records("text", ("a", "x"), ("b", "y")))
    data = open_dataset(name, splits={"test": "validation"})
    assert data.test is not None and data.test.texts == ("a", "b")
    assert data.dev is not None and data.dev_rows is not None
    assert data.overlap["test_in_dev"] == 0
    with pytest.raises(DataError, match="'validation' is named for both test and dev"):
        open_dataset(name, splits={"test": "validation", "dev": "validation"})


def test_bad_rows_are_named(hub: Callable[..., str]) -> None:
    name = hub(train=records("text", ("a", "x"), (" ", "y")))
    with pytest.raises(DataError, match="split train, row 2: 'text' holds nothing but white space"):
        open_dataset(name)


def test_missing_folder_and_partly_labelled(hub: Callable[..., str]) -> None:
    name = hub(train=records("text", ("a", "x"), ("b", None)))
    with pytest.raises(DataError, match="split train, row 2: a train row without a label"):
        open_dataset(name)
    with pytest.raises(DataError, match="no such folder"):
        open_dataset("hub:./gone")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"reading a hub data set.*\n.*leanformer\[train\]"):
        open_dataset("hub:anything")


def test_questions_with_candidates_are_refused_rather_than_read_without_them(hub: Callable[..., str]) -> None:
    name = hub(train=[{"premise": "a", "question": "effect", "choice1": "b", "choice2": "c", "label": 0}] * 4)
    with pytest.raises(DataError, match=r"not read from the hub yet.*\n.*JSON Lines.*; --kind classification"):
        open_dataset(name)
    with pytest.raises(DataError, match=r"not read from the hub yet.*\n.*JSON Lines.* open that folder$"):
        open_dataset(name, kind="choice")
    assert open_dataset(name, kind="classification").task.labels == ("0",)
