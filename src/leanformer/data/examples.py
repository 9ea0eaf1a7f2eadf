"""Examples: texts with a task and, where they are known, labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from leanformer.files import sha256_json
from leanformer.task import Task, Text

# What is known of one example: the index of its label, the indices of all its labels, or its score.
Label = int | tuple[int, ...] | float


@dataclass(frozen=True)
class Examples:
    """Texts of one task, in order, labelled or not.

    Attributes:
        task: kind of task and label names.
        texts: one text per example; for pair tasks the first of the two.
        labels: for each example, as the task's answer is: an index into `task.labels`; a tuple of such indices,
            rising and perhaps empty; or a score. None where the examples are unlabelled.
        pairs: for pair tasks the second text of each example, else None.
        source: where the examples came from, such as a file name. Not part of the content.

    Raises `ValueError` when lengths differ, when a label is not an index into `task.labels` or a score not a finite
    number, or when the second texts of a pair task are missing.
    """

    task: Task
    texts: tuple[str, ...]
    labels: tuple[Label, ...] | None
    pairs: tuple[str, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.labels is not None:
            if len(self.labels) != len(self.texts):
                raise ValueError(f"{len(self.labels)} labels for {len(self.texts)} texts")
            _CHECKS[self.task.answer](self.labels, len(self.task.labels))
        if self.pairs is not None and len(self.pairs) != len(self.texts):
            raise ValueError(f"{len(self.pairs)} second texts for {len(self.texts)} texts")
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

        Raises `ValueError` for examples without labels.
        """
        if self.labels is None:
            raise ValueError("these examples have no labels")
        if self.task.answer == "labels":
            chosen = np.zeros((len(self), len(self.task.labels)), dtype=np.int64)
            for row, each in enumerate(self.labels):
                chosen[row, list(each)] = 1  # type: ignore[arg-type]
            return chosen
        return np.asarray(self.labels, dtype=np.float64 if self.task.answer == "score" else np.int64)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) over task, texts, pairs and labels, in order; the source is left out."""
        question = self.task.question.to_json()
        return sha256_json({"task": question, "texts": self.texts, "pairs": self.pairs, "labels": self.labels})

    def select(self, indices: Iterable[int]) -> Examples:
        """The examples at `indices`, in that order. Raises `IndexError` for an index that is not there."""
        chosen = tuple(indices)
        return Examples(
            task=self.task,
            texts=tuple(self.texts[i] for i in chosen),
            labels=None if self.labels is None else tuple(self.labels[i] for i in chosen),
            pairs=None if self.pairs is None else tuple(self.pairs[i] for i in chosen),
            source=self.source,
        )

    def for_task(self, task: Task) -> Examples:
        """The same examples with their labels numbered as in `task`, which must know all of their label names."""
        number = [task.labels.index(name) for name in self.task.labels]

        def moved(label: Label) -> Label:
            if isinstance(label, tuple):
                return tuple(sorted(number[i] for i in label))
            return number[label] if isinstance(label, int) else label

        labels = None if self.labels is None else tuple(moved(one) for one in self.labels)
        return Examples(task, self.texts, labels, self.pairs, self.source)


def sampled(examples: Examples, count: int, seed: int) -> tuple[Text, ...]:
    """At most `count` inputs, drawn by seed where there are more, in their order; a file may be sorted by class."""
    if len(examples) <= count:
        return examples.inputs
    drawn = sorted(Random(seed).sample(range(len(examples)), count))
    return tuple(examples.inputs[i] for i in drawn)


def from_targets(targets: np.ndarray) -> tuple[Label, ...]:
    """Labels as `Examples` keeps them, from an array as `Examples.targets` gives it."""
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


_CHECKS = {"label": _check_label, "labels": _check_labels, "score": _check_score}
