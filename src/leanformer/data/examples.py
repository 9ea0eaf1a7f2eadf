"""Examples: texts with a task and, where they are known, labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from leanformer.files import sha256_json
from leanformer.tagging.ragged import is_ragged, ragged
from leanformer.tagging.schemes import spelled
from leanformer.tagging.words import words_of
from leanformer.task import Task, Text, by_number

# What is known of one example: the index of its label, the indices of all its labels, its score, or of each word's tag.
Label = int | tuple[int, ...] | float


@dataclass(frozen=True)
class Examples:
    """Texts of one task, in order, labelled or not.

    Attributes:
        task: kind of task and label names.
        texts: one text per example; for pair tasks the first of the two.
        labels: for each example, as the task's answer is: an index into `task.labels`; a tuple of such indices,
            rising and perhaps empty; a score; or a tuple of one index for each word. None where they are unlabelled.
        pairs: for pair tasks the second text of each example, else None.
        source: where the examples came from, such as a file name. Not part of the content.
        languages: the language of each example, where the data say it; else None.

    Raises `ValueError` when lengths differ, when a label is not an index into `task.labels` or a score not a finite
    number, or when the second texts of a pair task are missing.
    """

    task: Task
    texts: tuple[str, ...]
    labels: tuple[Label, ...] | None
    pairs: tuple[str, ...] | None = None
    source: str = ""
    languages: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.labels is not None:
            if len(self.labels) != len(self.texts):
                raise ValueError(f"{len(self.labels)} labels for {len(self.texts)} texts")
            _CHECKS[self.task.answer](self.labels, len(self.task.labels))
            if self.task.answer == "tags":
                _check_lengths(self.texts, self.labels)
        if self.pairs is not None and len(self.pairs) != len(self.texts):
            raise ValueError(f"{len(self.pairs)} second texts for {len(self.texts)} texts")
        if self.languages is not None and len(self.languages) != len(self.texts):
            raise ValueError(f"{len(self.languages)} languages for {len(self.texts)} texts")
        if self.pairs is None and self.task.pairs:
            raise ValueError(f"examples of a {self.task.kind} task need second texts")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def is_labelled(self) -> bool:
        return self.labels is not None

    @cached_property
    def inputs(self) -> tuple[Text, ...]:
        """What a model is given for each example: the text, or the text and its second one."""
        return self.texts if self.pairs is None else tuple(zip(self.texts, self.pairs, strict=True))

    @cached_property
    def targets(self) -> np.ndarray:
        """The labels as an array: class indices `[n]`; 0 or 1 for each label `[n, labels]`; or scores `[n]`, float64.

        Tags are a ragged array `[n]` of indices `[words]` (see `tagging.ragged`).

        Raises `ValueError` for examples without labels.
        """
        if self.labels is None:
            raise ValueError("these examples have no labels")
        if self.task.answer == "labels":
            chosen = np.zeros((len(self), len(self.task.labels)), dtype=np.int64)
            for row, each in enumerate(self.labels):
                chosen[row, list(each)] = 1  # type: ignore[arg-type]
            return chosen
        if self.task.answer == "tags":
            return ragged([np.asarray(each, dtype=np.int64) for each in self.labels])
        return np.asarray(self.labels, dtype=np.float64 if self.task.answer == "score" else np.int64)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) over task, texts, pairs and labels, in order; the source is left out."""
        question = self.task.question.to_json()
        content = {"task": question, "texts": self.texts, "pairs": self.pairs, "labels": self.labels}
        # Left out where there are none, so that the hashes of other data stay what they were.
        return sha256_json(content if self.languages is None else content | {"languages": self.languages})

    def select(self, indices: Iterable[int]) -> Examples:
        """The examples at `indices`, in that order. Raises `IndexError` for an index that is not there."""
        chosen = tuple(indices)
        return Examples(
            task=self.task,
            texts=tuple(self.texts[i] for i in chosen),
            labels=None if self.labels is None else tuple(self.labels[i] for i in chosen),
            pairs=None if self.pairs is None else tuple(self.pairs[i] for i in chosen),
            source=self.source,
            languages=None if self.languages is None else tuple(self.languages[i] for i in chosen),
        )

    def for_task(self, task: Task) -> Examples:
        """The same examples with their labels numbered as in `task`, which must know all of their label names.

        Names that are the numbers of the task's labels are as good (`task.by_number`), and tags are spelled in its
        scheme.
        """
        numbers = by_number(self.task.labels, task.labels)
        number = list(range(len(self.task.labels)))
        if task.answer != "tags":
            number = numbers or [task.labels.index(name) for name in self.task.labels]

        def moved(label: Label) -> Label:
            if isinstance(label, tuple) and task.answer == "tags":
                tags = spelled([self.task.labels[i] for i in label], task.labels, task.scheme)
                return tuple(task.labels.index(one) for one in tags)
            if isinstance(label, tuple):
                return tuple(sorted(number[i] for i in label))
            return number[label] if isinstance(label, int) else label

        labels = None if self.labels is None else tuple(moved(one) for one in self.labels)
        return Examples(task, self.texts, labels, self.pairs, self.source, self.languages)


def sampled(examples: Examples, count: int, seed: int) -> tuple[Text, ...]:
    """At most `count` inputs, drawn by seed where there are more, in their order; a file may be sorted by class."""
    if len(examples) <= count:
        return examples.inputs
    drawn = sorted(Random(seed).sample(range(len(examples)), count))
    return tuple(examples.inputs[i] for i in drawn)


def from_targets(targets: np.ndarray) -> tuple[Label, ...]:
    """Labels as `Examples` keeps them, from an array as `Examples.targets` gives it."""
    if is_ragged(targets):
        return tuple(tuple(int(i) for i in each) for each in targets)
    if targets.ndim == 2:
        return tuple(tuple(int(i) for i in np.flatnonzero(row)) for row in targets)
    return tuple(float(one) for one in targets) if targets.dtype.kind == "f" else tuple(int(one) for one in targets)


def _check_label(labels: tuple[Label, ...], names: int) -> None:
    if wrong := set(labels) - set(range(names)):
        raise ValueError(f"label {min(wrong)} is not an index into the {names} label names")


def _check_labels(labels: tuple[Label, ...], names: int) -> None:
    for each in labels:
        if not isinstance(each, tuple):
            raise ValueError(f"label {each} is not a tuple of indices")
        if list(each) != sorted(set(each)) or not set(each) <= set(range(names)):
            raise ValueError(f"labels {each} are not rising indices into the {names} label names")


def _check_score(labels: tuple[Label, ...], names: int) -> None:
    for each in labels:
        if not isinstance(each, float) or not math.isfinite(each):
            raise ValueError(f"score {each} is not a finite decimal number")


def _check_tags(labels: tuple[Label, ...], names: int) -> None:
    for each in labels:
        if not isinstance(each, tuple) or not set(each) <= set(range(names)):
            raise ValueError(f"tags {each!r:.60} are not a tuple of indices into the {names} label names")


def _check_lengths(texts: tuple[str, ...], labels: tuple[Label, ...]) -> None:
    for row, (text, each) in enumerate(zip(texts, labels, strict=True), start=1):
        if len(words_of(text)) != len(each):  # type: ignore[arg-type]
            raise ValueError(f"example {row} has {len(words_of(text))} words and {len(each)} tags")  # type: ignore[arg-type]


_CHECKS = {"label": _check_label, "labels": _check_labels, "score": _check_score, "tags": _check_tags}
