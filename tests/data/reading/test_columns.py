"""Further columns, matched with the rows that were read or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.examples import Examples
from leanformer.data.reading.columns import read_column
from leanformer.errors import DataError
from tests.making.commands import write_lines

ROWS = [{"text": f"text {i}", "label": "ab"[i % 2], "region": "north" if i < 3 else None, "year": i} for i in range(6)]


def examples(path: Path) -> Examples:
    found = open_dataset(str(path), single="test").test
    assert found is not None
    return found


def test_json_lines(tmp_path: Path):
    part = examples(write_lines(tmp_path / "fresh.jsonl", ROWS))
    assert read_column(part, "region") == ("north", "north", "north", "", "", "")
    assert read_column(part, "year") == tuple("012345")


@pytest.mark.parametrize(("name", "mark"), [("fresh.csv", ","), ("fresh.tsv", "\t")])
def test_tables(name: str, mark: str, tmp_path: Path):
    lines = [["text", "label", "region"], ['"a ""quoted"" text"', "x", "north"], ["other", "y", ""]]
    (tmp_path / name).write_text("\n".join(mark.join(line) for line in lines) + "\n\n", encoding="utf-8")
    assert read_column(examples(tmp_path / name), "region") == ("north", "")


def test_a_column_that_is_not_there_names_those_that_are(tmp_path: Path):
    part = examples(write_lines(tmp_path / "fresh.jsonl", ROWS))
    with pytest.raises(DataError, match="region, year"):
        read_column(part, "country")


def test_rows_that_are_not_the_files_are_refused(tmp_path: Path):
    part = examples(write_lines(tmp_path / "fresh.jsonl", ROWS))
    with pytest.raises(DataError, match="cannot be matched"):
        read_column(part.select([1, 0, 2]), "region")


def test_examples_without_a_file_are_refused():
    from tests.making.tiny import tiny_dataset

    part = tiny_dataset().test
    assert part is not None
    with pytest.raises(DataError, match="no column 'region' can be read"):
        read_column(part, "region")
