"""Which texts can be chosen: planted repeats, leaks and labelled rows."""

from __future__ import annotations

from pathlib import Path

from leanformer.curate.active.pool import read_pool, read_round
from leanformer.curate.active.texts import Texts
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.task import Task
from tests.making.commands import write_lines

TASK = Task("classification", ("a", "b"))


def examples(*texts: str) -> Examples:
    return Examples(TASK, texts, tuple(number % 2 for number in range(len(texts))))


def test_every_text_is_there_once_with_its_last_label(tmp_path: Path) -> None:
    pool = read_pool(
        write_lines(tmp_path / "p.jsonl", [{"text": text} for text in ("T1", "x", "X ", "test", "y", "dev", "z")])
    )
    first = read_round(
        write_lines(tmp_path / "r1.jsonl", [{"text": "x", "label": "a"}, {"text": "far", "label": "b"}]), TASK.kind
    )
    second = read_round(write_lines(tmp_path / "r2.jsonl", [{"text": "x", "label": "b"}]), TASK.kind)
    data = Dataset(TASK, train=examples("t1", "t2"), dev=examples("Dev"), test=examples("Test"))
    texts = Texts(pool, TASK, data, [first, second])
    assert texts.inputs == ["t1", "t2", "x", "y", "z", "far"]
    assert texts.left_out == {"evaluated": [4, 6], "labelled": [1, 2], "repeated": [3]}
    assert texts.candidates.tolist() == [3, 4] and texts.at(texts.candidates) == [4, 6]
    assert [part.tolist() for part in texts.labelled(0)] == [[0, 1], [0, 1]]
    assert [part.tolist() for part in texts.labelled(1)] == [[0, 1, 2, 5], [0, 1, 0, 1]]
    assert [part.tolist() for part in texts.labelled(2)] == [[0, 1, 2, 5], [0, 1, 1, 1]]
    assert texts.record(3) == {"line": 5, "text": "y"}


def test_a_text_of_the_pool_that_was_labelled_stays_among_the_fixed_ones(tmp_path: Path) -> None:
    """Otherwise the texts on which rounds are compared would change from round to round."""
    pool = read_pool(write_lines(tmp_path / "p.jsonl", [{"text": f"text {number}"} for number in range(9)]))
    labelled = read_round(write_lines(tmp_path / "r.jsonl", [{"text": "text 4", "label": "a"}]), TASK.kind)
    assert Texts(pool, TASK, None, [])._fixed == Texts(pool, TASK, None, [labelled])._fixed
