"""Examples: texts with a task and, where they are known, labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from random import Random

from leanformer.files import sha256_json
from leanformer.task import Task


@dataclass(frozen=True)
class Examples:
    """Texts of one task, in order, labelled or not.

    Attributes:
        task: kind of task and label names.
        texts: one text per example; for pair tasks the first of the two.
        labels: one index into `task.labels` per example, or None where the examples are unlabelled.
        pairs: for pair tasks the second text of each example, else None.
        source: where the examples came from, such as a file name. Not part of the content.

    Raises `ValueError` when lengths differ, when a label is not an index into `task.labels`, or when the
    second texts of a pair task are missing.
    """

    task: Task
    texts: tuple[str, ...]
    labels: tuple[int, ...] | None
    pairs: tuple[str, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.labels is not None:
            if len(self.labels) != len(self.texts):
                raise ValueError(f"{len(self.labels)} labels for {len(self.texts)} texts")
            if wrong := set(self.labels) - set(range(len(self.task.labels))):
                raise ValueError(f"label {min(wrong)} is not an index into the {len(self.task.labels)} label names")
        if self.pairs is not None and len(self.pairs) != len(self.texts):
            raise ValueError(f"{len(self.pairs)} second texts for {len(self.texts)} texts")
        if self.pairs is None and self.task.kind == "pair":
            raise ValueError("examples of a pair task need second texts")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def is_labelled(self) -> bool:
        return self.labels is not None

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) over task, texts, pairs and labels, in order; the source is left out."""
        return sha256_json(
            {"task": self.task.to_json(), "texts": self.texts, "pairs": self.pairs, "labels": self.labels}
        )

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


def sampled(examples: Examples, count: int, seed: int) -> tuple[str, ...]:
    """At most `count` texts, drawn by seed where there are more, in their order; a file may be sorted by class."""
    if len(examples) <= count:
        return examples.texts
    drawn = sorted(Random(seed).sample(range(len(examples)), count))
    return tuple(examples.texts[i] for i in drawn)
