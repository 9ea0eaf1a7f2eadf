"""A grouping column is read by line, and errors name the file and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.data.reading.grouping import read_groups, read_languages
from leanformer.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"text": "a", "label": "x", "author": "ann"}, {"text": "b", "label": "y", "author": None}]
    (tmp_path / "train.jsonl").write_text(json.dumps(rows[0]) + "\n\n" + json.dumps(rows[1]) + "\n")
    (tmp_path / "test.csv").write_text('text,label,author\n"c\nd",x,bob\ne,y,7\n')
    (tmp_path / "unlabelled.txt").write_text("a text\n")
    return tmp_path


def test_values_are_by_split_and_line(folder: Path) -> None:
    assert read_groups(folder, "author") == {"train": {1: "ann"}, "test": {3: "bob", 4: "7"}, "unlabelled": {}}


def test_a_column_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_groups(folder, "authr")
    assert caught.value.remedy == "say --group author" and str(folder / "train.jsonl") in str(caught.value)
    (folder / "test.csv").write_text("text,label\nc,x\n")
    with pytest.raises(DataError, match=r"test\.csv, line 1: no row has a value in a column 'author'"):
        read_groups(folder, "author")


@pytest.mark.parametrize("source", ["train.jsonl", "nothing"])
def test_only_a_folder_has_splits_to_compare(source: str, folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_groups(folder / source, "author")
    assert caught.value.remedy


def test_languages_are_those_of_a_column(folder: Path) -> None:
    assert read_languages(folder) == {} and read_languages(folder / "train.jsonl") == read_languages("hub:x") == {}
    (folder / "test.csv").write_text("text,lang,label\na,de,x\nb,,y\nc,en,x\n")
    assert read_languages(folder) == {"test": {2: "de", 4: "en"}}
    (folder / "train.jsonl").write_text('{"text": "which language", "label": "x"}\n')
    assert read_languages(folder) == {"test": {2: "de", 4: "en"}}, "a word of a text is no column"
