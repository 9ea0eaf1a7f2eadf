"""Nested lists are worth what an evaluation of their tokens says, and texts become ids of frequent words."""

from __future__ import annotations

import pytest

from benchmarks.atlas import tasks
from benchmarks.atlas.tasks import LISTS, evaluated, nested_lists, texts
from leanformer.data.dataset import open_dataset
from tests.making.tiny import tiny_dataset

NAMES = dict(enumerate([*map(str, range(10)), "MIN", "MAX", "MED", "SM", "]"], 2))


def value(words: list[str]) -> int:
    """The value of a list, read with a stack."""
    stack: list[list[str | int]] = []
    for word in words:
        if word in ("MIN", "MAX", "MED", "SM"):
            stack.append([word])
        elif word != "]":
            stack[-1].append(int(word))
        else:
            operator, *inside = stack.pop()
            found = evaluated(str(operator), [int(each) for each in inside])
            if not stack:
                return found
            stack[-1].append(found)
    raise AssertionError("it does not end")


def test_labels_are_the_values_of_the_lists():
    task = nested_lists(40, 20, 64, seed=3)
    rows = [*task.train, *task.test]
    assert (task.name, len(task.train), len(task.test), task.labels) == (LISTS, 40, 20, 10)
    assert [label for _, label in rows] == [value([NAMES[token] for token in ids]) for ids, _ in rows]
    assert all(21 <= len(ids) <= 64 for ids, _ in rows) and any(ids.count(16) > 2 for ids, _ in rows), "some are nested"
    assert nested_lists(40, 20, 64, seed=3) == task != nested_lists(40, 20, 64, seed=4)


@pytest.mark.parametrize(("operator", "expected"), [("MIN", 1), ("MAX", 9), ("MED", 4), ("SM", 8)])
def test_operators(operator: str, expected: int):
    assert evaluated(operator, [1, 4, 9, 4]) == expected


def test_texts_are_cut_and_rare_words_are_unknown(monkeypatch: pytest.MonkeyPatch):
    data = tiny_dataset()
    monkeypatch.setattr(tasks, "open_dataset", lambda _: data)
    monkeypatch.setattr(tasks, "data_folder", lambda name: name)
    monkeypatch.setitem(tasks.TEXTS, "tiny", 3)
    task = texts("tiny", words=5)
    assert open_dataset is not tasks.open_dataset and (task.length, task.vocabulary) == (3, 7)
    assert all(1 <= len(ids) <= 3 and max(ids) < 7 for ids, _ in task.train)
    assert len(task.test) == len(data.test) and any(1 in ids for ids, _ in task.train)
