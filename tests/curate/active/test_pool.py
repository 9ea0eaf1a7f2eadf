"""Reading pools and labelled rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.curate.active.pool import read_pool, read_round, task_of
from leanformer.errors import DataError, LeanformerError
from leanformer.task import Task
from tests.making.commands import write_lines

ROWS = [
    {"text": "Good  day", "label": "a", "audit": True, "predicted": "a"},
    {"text": "bad day", "label": "b", "audit": True, "predicted": "a"},
    {"text": "no day", "label": None, "audit": False, "predicted": "a"},
    {"text": "old day", "label": "a", "audit": False, "predicted": "a"},
    {"text": "new day", "label": "b", "audit": False},
]


def test_a_pool_ignores_labels_and_keeps_lines(tmp_path: Path) -> None:
    pool = read_pool(write_lines(tmp_path / "pool.jsonl", ROWS))
    assert pool.inputs[0] == "Good  day" and pool.keys[0] == "good day" and pool.kind == "classification"
    assert pool.lines == (1, 2, 3, 4, 5) and pool.records[5]["text"] == "new day"
    assert pool.costs(None) == [2, 2, 2, 2, 2]
    (tmp_path / "pool.txt").write_text("one\n\ntwo words\n")
    assert read_pool(tmp_path / "pool.txt").lines == (1, 3)
    assert read_pool(tmp_path / "pool.txt").costs(None) == [1, 2]


@pytest.mark.parametrize("value", [-1, None, "cheap", float("inf")])
def test_costs_are_numbers(tmp_path: Path, value: object) -> None:
    pool = read_pool(write_lines(tmp_path / "pool.jsonl", [{"text": "a", "s": "2.5"}, {"text": "b", "s": value}]))
    with pytest.raises(DataError, match="line 2: no cost in a column 's'"):
        pool.costs("s")


def test_a_round_gives_labels_and_how_often_the_model_was_right(tmp_path: Path) -> None:
    labelled = read_round(write_lines(tmp_path / "r.jsonl", ROWS), "classification")
    assert labelled.names == ("a", "b", "a", "b") and labelled.unanswered == 1
    assert labelled.audited == (True, False) and labelled.chosen == (True,)
    assert task_of("classification", [labelled]) == Task("classification", ("a", "b"))
    assert labelled.labels(Task("classification", ("b", "a"))) == (1, 0, 1, 0)
    with pytest.raises(DataError, match=r"line 2: the label 'b' is not one"):
        labelled.labels(Task("classification", ("a", "c")))


def test_tags_are_refused() -> None:
    with pytest.raises(LeanformerError, match="of kind 'tokens'"):
        task_of("tokens", [])
