"""Examples: texts with a task and, if known, labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.answers.labels_check import Label
from leanformer.files import sha256_json
from leanformer.inputs.kinds import input_of
from leanformer.task import Task, Text, by_number


@dataclass(frozen=True)
class Examples:
    """Texts of one task, in order, labelled or not.

    Attributes:
        task: kind of task and label names.
        texts: one text per example; for pair tasks the first of the two.
        labels: for each example, depending on the form of answer: an index into `task.labels`; a tuple of such indices,
            ascending and possibly empty; a score; a tuple of one index per word; or the first character and the end
            of each right answer. None if unlabelled.
        pairs: for pair tasks the second text of each example, for multiple choice its candidates, for answers in
            a context the context; otherwise None.
        source: where the examples came from, such as a file name. Not part of the content.
        languages: the language of each example, if the data give it; otherwise None.
        lines: the line of each example in its file (of a hub data set: its row), from 1, if known. Not part of the
            content either.

    Raises `ValueError` if lengths differ, if a label is not an index into `task.labels` or a score not a finite number,
    or if the second texts of a pair task are missing.
    """

    task: Task
    texts: tuple[str, ...]
    labels: tuple[Label, ...] | None
    pairs: tuple[str | tuple[str, ...], ...] | None = None
    source: str = ""
    languages: tuple[str, ...] | None = None
    lines: tuple[int, ...] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.labels is not None:
            if len(self.labels) != len(self.texts):
                raise ValueError(f"{len(self.labels)} labels for {len(self.texts)} texts")
            form_of(self.task).check(self.labels, self.texts, len(self.task.labels))
        if self.pairs is not None and len(self.pairs) != len(self.texts):
            raise ValueError(f"{len(self.pairs)} second texts for {len(self.texts)} texts")
        if self.languages is not None and len(self.languages) != len(self.texts):
            raise ValueError(f"{len(self.languages)} languages for {len(self.texts)} texts")
        if self.lines is not None and len(self.lines) != len(self.texts):
            raise ValueError(f"{len(self.lines)} lines for {len(self.texts)} texts")
        if self.pairs is None and input_of(self.task).seconds:
            raise ValueError(f"examples of a {self.task.kind} task need second texts")
        if self.labels is not None and self.pairs is not None and input_of(self.task).several:
            for label, choices in zip(self.labels, self.pairs, strict=True):
                if not isinstance(label, int) or label >= len(choices):
                    raise ValueError(f"label {label} is not the number, from 0, of one of {len(choices)} candidates")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def is_labelled(self) -> bool:
        return self.labels is not None

    @cached_property
    def inputs(self) -> tuple[Text, ...]:
        """The model's input for each example: the text, or the text and its second one."""
        inputs: Any = self.texts if self.pairs is None else tuple(zip(self.texts, self.pairs, strict=True))
        return inputs  # type: ignore[no-any-return]

    @cached_property
    def targets(self) -> np.ndarray:
        """The labels as an array: class indices `[n]`; 0 or 1 for each label `[n, labels]`; or scores `[n]`, float64.

        Tags are a ragged array `[n]` of indices `[words]` (see `tagging.ragged`).

        Raises `ValueError` for examples without labels.
        """
        if self.labels is None:
            raise ValueError("these examples have no labels")
        return form_of(self.task).targets(self.labels, len(self.task.labels), self.inputs)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) over task, texts, pairs and labels, in order, but not over the source."""
        question = self.task.question.to_json()
        content = {"task": question, "texts": self.texts, "pairs": self.pairs, "labels": self.labels}
        # Left out if there are none, so that the hashes of other data stay the same.
        return sha256_json(content if self.languages is None else content | {"languages": self.languages})

    def select(self, indices: Iterable[int]) -> Examples:
        """The examples at `indices`, in that order. Raises `IndexError` for an index out of range."""
        chosen = tuple(indices)
        return Examples(
            task=self.task,
            texts=tuple(self.texts[i] for i in chosen),
            labels=None if self.labels is None else tuple(self.labels[i] for i in chosen),
            pairs=None if self.pairs is None else tuple(self.pairs[i] for i in chosen),
            source=self.source,
            languages=None if self.languages is None else tuple(self.languages[i] for i in chosen),
            lines=None if self.lines is None else tuple(self.lines[i] for i in chosen),
        )

    def for_task(self, task: Task) -> Examples:
        """The same examples with their labels numbered as in `task`, which must contain all of their label names.

        Names may also be the numbers of the task's labels (`task.by_number`), and tags are converted to its scheme.
        """
        numbers = by_number(self.task.labels, task.labels)
        # Also without labels, so that names unknown to the task are an error there, too.
        moved = form_of(task).renumbered(self.labels or (), self.task, task, numbers)
        labels = None if self.labels is None else tuple(moved)
        return Examples(task, self.texts, labels, self.pairs, self.source, self.languages, self.lines)


def sampled(examples: Examples, count: int, seed: int) -> tuple[Text, ...]:
    """At most `count` inputs, drawn by seed if there are more, in their order; a file may be sorted by class."""
    if len(examples) <= count:
        return examples.inputs
    drawn = sorted(Random(seed).sample(range(len(examples)), count))
    return tuple(examples.inputs[i] for i in drawn)
