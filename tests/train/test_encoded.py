"""Positions of rows' answers among those of all texts."""

from __future__ import annotations

import numpy as np

from leanformer.tagging.windows import nothing_left
from leanformer.task import Task
from leanformer.train.encoded import Slots

TAGS = Task("tokens", ("O", "B-X", "I-X"))


def test_logits_are_put_where_the_row_s_answers_are() -> None:
    slots = Slots(4, [np.array([0, 1]), np.array([3])], [np.array([1, 2]), np.array([1])])
    into = slots.empty(0, 4, TAGS)
    slots.put(into, 0, np.arange(9, dtype=np.float32).reshape(3, 3))
    assert into[:2].tolist() == [[3, 4, 5], [6, 7, 8]]
    assert into[2:].tolist() == [nothing_left(TAGS.labels).tolist()] * 2
    assert slots.borders([0, 1]).tolist() == [0, 3, 4]


def test_answers_of_whole_texts_start_at_nought() -> None:
    slots = Slots(2, [np.array([0]), np.array([1])], None)
    assert slots.empty(0, 2, Task("classification", ("a", "b"))).tolist() == [[0, 0], [0, 0]]
