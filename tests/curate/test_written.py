"""The written splits: rows are left out of files of any format, and what is read again is compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.curate.written import record, write_splits
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.errors import DataError

FILES = {
    "train.jsonl": [
        "", '{"text": "a", "label": "x", "id": 1}\n', '\n{"text": "b", "label": "y", "id": 2}\n',
        '{"text": "c", "label": "x", "id": 3}',
    ],
    "train.csv": ["text,label\n", "a,x\n", '\n"c\nd",y\n', '"d,\ne",x\n'],
    "train.tsv": ["sep=\t\ntext\tlabel\n", "a\tx\n", "b\ty\n", "c\tx\n"],
    "train.conll": ["-DOCSTART- O\n\n", "Rome B-LOC\nnow O\n\n", "in O\nParis B-LOC\n\n", "Ann B-LOC\n\n"],
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [[0, 1], [1, 2], [1], [0, 1, 2]])
def test_rows_are_left_out_of_a_file_and_the_rest_is_as_it_was(name: str, kept: list[int], tmp_path: Path) -> None:
    head, *rows = FILES[name]
    if kept == [1]:
        rows = [row.replace('x"', 'y"').replace(",x", ",y").replace("\tx", "\ty") for row in rows]  # one label
    (tmp_path / "data").mkdir()
    (tmp_path / "clean").mkdir()
    (tmp_path / "data" / name).write_text(head + "".join(rows), newline="")
    data = open_dataset(tmp_path / "data", carve=False)
    write_splits(tmp_path / "clean", data, {"train": kept})
    assert (tmp_path / "clean" / name).read_text() == head + "".join(rows[row] for row in kept)


def test_half_a_row_is_never_left(tmp_path: Path) -> None:
    """Where the first row of a table has several lines, its first line is not known."""
    (tmp_path / "train.csv").write_text('text,label\n"a\nb",x\nc,x\n')
    data = open_dataset(tmp_path, carve=False)
    (tmp_path / "clean").mkdir()
    with pytest.raises(DataError, match="or write the data as JSON Lines first"):
        write_splits(tmp_path / "clean", data, {"train": [1]})


def test_what_would_be_read_differently_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n')
    data = open_dataset(tmp_path / "train.jsonl", carve=False)
    (tmp_path / "clean").mkdir()
    with pytest.raises(DataError, match=r"read differently \(they would be of another task, or have other labels\)"):
        write_splits(tmp_path / "clean", data, {"train": [1]})
    with pytest.raises(DataError, match="every row of train would be removed"):
        write_splits(tmp_path / "clean", data, {"train": []})


def test_languages_become_one_file(tmp_path: Path) -> None:
    rows = {"words": ["New York", "now"], "tags": ["B-LOC", "O"]}, {"words": ["in", "Rome"], "tags": ["O", "B-LOC"]}
    for language in ("de", "en"):
        (tmp_path / "data" / language).mkdir(parents=True)
        (tmp_path / "data" / language / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = open_dataset(tmp_path / "data", kind="tokens", carve=False)
    (tmp_path / "clean").mkdir()
    write_splits(tmp_path / "clean", data, {"train": [0, 3]}, "tokens")
    again = open_dataset(tmp_path / "clean", carve=False)
    assert again.train is not None and data.train is not None
    assert (
        again.train == data.train.select([0, 3]) or again.train.content_hash == data.train.select([0, 3]).content_hash
    )
    assert again.train.languages == ("de", "en")


def test_a_row_as_json_is_read_as_the_same_row(tmp_path: Path) -> None:
    rows = [
        {"text": "q", "choices": ["a", "b"], "label": 1}, {"text": "p", "choices": ["c", "d", "e"], "label": 0},
    ]  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data: Dataset = open_dataset(tmp_path, carve=False)
    assert data.train is not None
    assert [record(data.train, row) for row in range(2)] == rows
