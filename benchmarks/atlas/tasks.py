"""The tasks of the sequence bench: nested lists in the manner of ListOps (Nangia and Bowman 2018), and long texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.ladders.run import data_folder
from leanformer.data.dataset import open_dataset

PADDING, UNKNOWN = 0, 1
_DIGITS, _OPERATORS, _END = range(2, 12), ("MIN", "MAX", "MED", "SM"), 16
LISTS, TEXTS = "nested lists", {"20newsgroups": 256, "movie_reviews": 512}
Rows = list[tuple[list[int], int]]


@dataclass(frozen=True)
class Task:
    """Rows of token ids with their classes; `length` is where texts are cut."""

    name: str
    length: int
    labels: int
    vocabulary: int
    train: Rows
    test: Rows


def nested_lists(train: int, test: int, length: int = 128, seed: int = 0) -> Task:
    """Lists of digits and lists under MIN, MAX, MED(ian) or SM (sum modulo 10); the label is the value, 0 to 9.

    They have at most `length` tokens, and at least a third of it, so that windows do not hold all of a list.
    """
    generator = np.random.default_rng(seed)
    rows: Rows = []
    while len(rows) < train + test:
        ids, value = _list(generator, 5)
        if length // 3 <= len(ids) <= length:
            rows.append((ids, value))
    return Task(LISTS, length, 10, _END + 1, rows[:train], rows[train:])


def _list(generator: np.random.Generator, depth: int) -> tuple[list[int], int]:
    operator = int(generator.integers(len(_OPERATORS)))
    ids, values = [12 + operator], list[int]()
    for _ in range(generator.integers(2, 6)):
        if depth > 1 and generator.random() < 0.4:
            part, value = _list(generator, depth - 1)
        else:
            value = int(generator.integers(10))
            part = [_DIGITS[value]]
        ids, values = ids + part, [*values, value]
    return [*ids, _END], evaluated(_OPERATORS[operator], values)


def evaluated(operator: str, values: Sequence[int]) -> int:
    """The value of a list of digits."""
    if operator == "MED":
        return int(np.median(values))
    return {"MIN": min(values), "MAX": max(values), "SM": sum(values) % 10}[operator]


def texts(name: str, words: int = 8000) -> Task:
    """A data set of classes, with the most frequent words of its training texts as the vocabulary."""
    data, length = open_dataset(str(data_folder(name))), TEXTS[name]
    assert data.train is not None and data.test is not None
    split = {part: [_words(text) for text in getattr(data, part).texts] for part in ("train", "test")}
    counts = Counter(word for text in split["train"] for word in text)
    ids = {word: number for number, (word, _) in enumerate(counts.most_common(words), UNKNOWN + 1)}
    rows = {
        part: [
            ([ids.get(word, UNKNOWN) for word in text[:length]] or [UNKNOWN], int(label))
            for text, label in zip(split[part], getattr(data, part).labels, strict=True)
        ]
        for part in split
    }
    return Task(name, length, len(data.task.labels), words + UNKNOWN + 1, rows["train"], rows["test"])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())
