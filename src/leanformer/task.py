"""What a model is asked to do: the kind of task, the names of its labels, and how its numbers become answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

# One input of a model: a text, or a first and a second text where the task is about pairs. A sentence whose words are
# tagged is a text with single spaces between its words (see `tagging.words`).
Text = str | tuple[str, str]
# What one may ask of a model: its input, or, of a model that tags words, a list of words in place of a text.
Question = Text | Sequence[str]


@dataclass(frozen=True)
class Kind:
    """What tells the kinds apart: whether an input is a pair of texts, and the form of the answer.

    An answer is "label" (one label of several), "labels" (any number of labels), "score" (a number) or "tags" (one
    label of several for each word) or "vector" (the text as numbers).
    """

    pairs: bool
    answer: str


BUILT = {
    "classification": Kind(pairs=False, answer="label"),
    "pair": Kind(pairs=True, answer="label"),
    "multilabel": Kind(pairs=False, answer="labels"),
    "similarity": Kind(pairs=True, answer="score"),
    "regression": Kind(pairs=False, answer="score"),
    "tokens": Kind(pairs=False, answer="tags"),
    "embedding": Kind(pairs=False, answer="vector"),
}
KINDS = (*BUILT, "span", "choice")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,5}")


def by_number(found: Sequence[str], labels: Sequence[str]) -> list[int] | None:
    """Which of `labels` the names `found` are the numbers of, where all are integers from 0 to one less than there are.

    None where they are not, and where labels are integers themselves, for then a number is a name.
    """
    if not found or any(_INTEGER.fullmatch(name) for name in labels):
        return None
    numbers = [int(name) if _INTEGER.fullmatch(name) else -1 for name in found]
    return numbers if min(numbers) >= 0 and max(numbers) < len(labels) else None


@dataclass(frozen=True)
class Task:
    """A task: its kind and, in the order of the logits, its label names.

    Attributes:
        kind: one of `KINDS`.
        labels: the label names; empty for a score.
        thresholds: of a model that gives any number of labels, for each the probability from which on it is given;
            None means 0.5 for all.
        scale: of a model that gives a score, (offset, unit): score = offset + unit * output; None means (0, 1).
        width: of a model that gives vectors, how many numbers one has; else None.
        transitions: of a model that tags words and has learnt which tag follows which (a CRF), what each first tag adds
            to a sequence's score, and then for each tag what every tag behind it adds; None where logits stand alone.
        scheme: of a model that tags words, "IOB1" where it was trained on that, so that entities begin with I-; None
            where its labels tell how they are to be read (IOB2, BIOES, BILOU).

    Raises `ValueError` on an unknown kind, on duplicate label names, and on thresholds, a scale, transitions or a
    scheme that do not fit.
    """

    kind: str
    labels: tuple[str, ...]
    thresholds: tuple[float, ...] | None = None
    scale: tuple[float, float] | None = None
    width: int | None = None
    transitions: tuple[tuple[float, ...], ...] | None = None
    scheme: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown task kind {self.kind!r}; one of {', '.join(KINDS)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"duplicate label names in {self.labels}")
        answer = BUILT[self.kind].answer if self.kind in BUILT else None
        if answer in ("score", "vector") and self.labels:
            raise ValueError(f"a task of kind {self.kind!r} has a {answer} and no labels, not {self.labels}")
        if (answer == "vector") != (self.width is not None and self.width > 0):
            raise ValueError(f"width {self.width} does not fit a task of kind {self.kind!r}")
        if self.thresholds is not None:
            if answer != "labels" or len(self.thresholds) != len(self.labels):
                raise ValueError(f"{len(self.thresholds)} thresholds for {len(self.labels)} labels ({self.kind})")
            if not all(0 <= one <= 1 for one in self.thresholds):
                raise ValueError(f"thresholds are probabilities from 0 to 1, not {self.thresholds}")
        if self.scale is not None and (answer != "score" or not self.scale[1] > 0):
            raise ValueError(f"scale {self.scale} does not fit a task of kind {self.kind!r}")
        if self.transitions is not None:
            shape = [len(self.labels)] * (len(self.labels) + 1)
            if answer != "tags" or [len(row) for row in self.transitions] != shape:
                raise ValueError(f"transitions do not fit {len(self.labels)} labels of a task of kind {self.kind!r}")
            if not all(isfinite(one) for row in self.transitions for one in row):
                raise ValueError("transitions are finite numbers")
        if self.scheme is not None and (answer != "tags" or self.scheme != "IOB1"):
            raise ValueError(f"scheme {self.scheme!r} does not fit a task of kind {self.kind!r}")

    @property
    def answer(self) -> str:
        """The form of the answer: "label", "labels", "score", "tags" or "vector"."""
        return BUILT[self.kind].answer

    @property
    def pairs(self) -> bool:
        """Whether an input is a pair of texts."""
        return self.kind in BUILT and BUILT[self.kind].pairs

    @property
    def outputs(self) -> int:
        """How many numbers a model gives for one input (or token): a logit for each label, one score, or a vector."""
        if self.width is not None:
            return self.width
        return 1 if self.kind in BUILT and self.answer == "score" else len(self.labels)

    @property
    def question(self) -> Task:
        """What is asked, without what one model has learnt about answering it: thresholds, scale and the like."""
        return replace(self, thresholds=None, scale=None, transitions=None, scheme=None)

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"kind": self.kind, "labels": list(self.labels)}
        # Left out where they are not used, so that hashes of older artifacts stay what they were.
        if self.thresholds is not None:
            value["thresholds"] = list(self.thresholds)
        if self.scale is not None:
            value["scale"] = list(self.scale)
        if self.width is not None:
            value["width"] = self.width
        if self.transitions is not None:
            value["transitions"] = [list(row) for row in self.transitions]
        if self.scheme is not None:
            value["scheme"] = self.scheme
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Task:
        thresholds, scale, transitions = (value.get(one) for one in ("thresholds", "scale", "transitions"))
        return cls(
            kind=value["kind"],
            labels=tuple(value["labels"]),
            thresholds=None if thresholds is None else tuple(float(one) for one in thresholds),
            scale=None if scale is None else (float(scale[0]), float(scale[1])),
            width=None if value.get("width") is None else int(value["width"]),
            transitions=None if transitions is None else tuple(tuple(float(one) for one in row) for row in transitions),
            scheme=value.get("scheme"),
        )
