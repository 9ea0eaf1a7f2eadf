"""What a model is used for: the kind of task, the names of its labels, and how its outputs become answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

# One input of a model: a text, or a first and a second text if the task is about pairs. A sentence to be tagged is a
# text with single spaces between its words (see `tagging.words`). A question with candidates is a text and a tuple.
Text = str | tuple[str, str] | tuple[str, tuple[str, ...]]
# A question for a model: its input, or, for a model that tags words, a list of words in place of a text.
Question = Text | Sequence[str]


INPUTS = ("text", "pair", "words", "choices", "context")


@dataclass(frozen=True)
class Kind:
    """What distinguishes kinds of task: the input, and the form of the answer.

    Attributes:
        input: one of `INPUTS`, explained in `inputs.kinds.INPUTS`.
        answer: a key of `answers.forms.FORMS`, where the form is explained.
        outputs: how many numbers a model gives for one input (or word): one per label of the task ("labels"), as many
            as its "width", or a number.
        learns: the fields of `Task` that a model of the kind may have learnt.
    """

    input: str
    answer: str
    outputs: str | int = "labels"
    learns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.input not in INPUTS:
            raise ValueError(f"unknown input {self.input!r}; one of {', '.join(INPUTS)}")

    @property
    def named(self) -> bool:
        """Whether answers consist of label names."""
        return self.outputs == "labels"


BUILT = {
    "classification": Kind("text", "label"),
    "pair": Kind("pair", "label"),
    "multilabel": Kind("text", "labels", learns=("thresholds",)),
    "similarity": Kind("pair", "score", outputs=1, learns=("scale",)),
    "regression": Kind("text", "score", outputs=1, learns=("scale",)),
    "tokens": Kind("words", "tags", learns=("transitions", "scheme")),
    "choice": Kind("choices", "choice", outputs=1),
    "span": Kind("context", "span", outputs=2, learns=("no_answer", "longest")),
    "embedding": Kind("text", "vector", outputs="width"),
}
_LEARNT = ("thresholds", "scale", "transitions", "scheme", "no_answer", "longest")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,5}")


def kind_of(input: str, answer: str) -> str | None:
    """The kind of task with such inputs and answers; None if there is none."""
    return next((name for name, kind in BUILT.items() if (kind.input, kind.answer) == (input, answer)), None)


def by_number(found: Sequence[str], labels: Sequence[str]) -> list[int] | None:
    """For names `found` that are numbers of `labels`, those numbers; all must be integers from 0 to len(labels) - 1.

    None if they are not, or if labels are integers themselves, because a number is then a name.
    """
    if not found or any(_INTEGER.fullmatch(name) for name in labels):
        return None
    numbers = [int(name) if _INTEGER.fullmatch(name) else -1 for name in found]
    return numbers if min(numbers) >= 0 and max(numbers) < len(labels) else None


@dataclass(frozen=True)
class Task:
    """A task: its kind and, in the order of the logits, its label names.

    Attributes:
        kind: one of `BUILT`.
        labels: the label names; empty if answers do not consist of them.
        thresholds: for a model that predicts any number of labels, the probability from which each is predicted; None
            means 0.5 for all.
        scale: for a model that gives a score, (offset, unit): score = offset + unit * output; None means (0, 1).
        width: for a model that gives vectors, the size of one; otherwise None.
        transitions: for a model that tags words and has learnt which tag follows which (a CRF), what each first tag
            adds to a sequence's score, and then for each tag what every following tag adds; None: logits alone decide.
        scheme: for a model that tags words, "IOB1" if it was trained on that, so that entities begin with I-; None if
            its labels determine the scheme (IOB2, BIOES, BILOU).
        no_answer: for a model that finds answers in a context, the score (see `spans.best`) that the best one needs, or
            there is no answer; None: there always is one.
        longest: for the same, the most characters of an answer; None: as many as the context has.
        overlap: tokens that a window of a long text repeats of the one before, for a model that reads long texts whole,
            in windows. None: a quarter of a window if it gives logits for every token; any other model then cuts them.

    Raises `ValueError` for an unknown kind, duplicate label names, and thresholds, a scale, transitions or a scheme
    that do not match.
    """

    kind: str
    labels: tuple[str, ...]
    thresholds: tuple[float, ...] | None = None
    scale: tuple[float, float] | None = None
    width: int | None = None
    transitions: tuple[tuple[float, ...], ...] | None = None
    scheme: str | None = None
    no_answer: float | None = None
    longest: int | None = None
    overlap: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in BUILT:
            raise ValueError(f"unknown task kind {self.kind!r}; one of {', '.join(BUILT)}")
        kind = BUILT[self.kind]
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"duplicate label names in {self.labels}")
        if self.labels and not kind.named:
            raise ValueError(f"a task of kind {self.kind!r} has a {kind.answer} and no labels, not {self.labels}")
        if (kind.outputs == "width") != (self.width is not None and self.width > 0):
            raise ValueError(f"width {self.width} does not fit a task of kind {self.kind!r}")
        for name in _LEARNT:
            if getattr(self, name) is not None and name not in kind.learns:
                raise ValueError(f"{name} {getattr(self, name)} does not fit a task of kind {self.kind!r}")
        if self.thresholds is not None:
            if len(self.thresholds) != len(self.labels):
                raise ValueError(f"{len(self.thresholds)} thresholds for {len(self.labels)} labels ({self.kind})")
            if not all(0 <= threshold <= 1 for threshold in self.thresholds):
                raise ValueError(f"thresholds are probabilities from 0 to 1, not {self.thresholds}")
        if self.scale is not None and not self.scale[1] > 0:
            raise ValueError(f"scale {self.scale} does not fit a task of kind {self.kind!r}")
        if self.transitions is not None:
            shape = [len(self.labels)] * (len(self.labels) + 1)
            if [len(row) for row in self.transitions] != shape:
                raise ValueError(f"transitions do not fit {len(self.labels)} labels of a task of kind {self.kind!r}")
            if not all(isfinite(score) for row in self.transitions for score in row):
                raise ValueError("transitions are finite numbers")
        if self.no_answer is not None and not isfinite(self.no_answer):
            raise ValueError(f"the score of an answer is a finite number, not {self.no_answer}")
        if self.longest is not None and self.longest < 1:
            raise ValueError(f"an answer has at least one character, not {self.longest}")
        if self.overlap is not None and self.overlap < 0:
            raise ValueError(f"windows overlap by 0 tokens or more, not {self.overlap}")
        if self.scheme not in (None, "IOB1"):
            raise ValueError(f"scheme {self.scheme!r} does not fit a task of kind {self.kind!r}")

    @property
    def answer(self) -> str:
        """The form of the answer: a key of `answers.forms.FORMS`."""
        return BUILT[self.kind].answer

    @property
    def pairs(self) -> bool:
        """Whether an input is a pair of texts; see `inputs.kinds.input_of` for more."""
        return BUILT[self.kind].input == "pair"

    @property
    def named(self) -> bool:
        """Whether answers consist of label names."""
        return BUILT[self.kind].named

    @property
    def learns(self) -> tuple[str, ...]:
        """The fields that a model of this task may have learnt."""
        return BUILT[self.kind].learns

    @property
    def outputs(self) -> int:
        """How many numbers a model gives for one input (or token): a logit per label, one score, or a vector."""
        outputs = BUILT[self.kind].outputs
        return outputs if isinstance(outputs, int) else self.width or len(self.labels)

    @property
    def question(self) -> Task:
        """The task without what one model has learnt about it (thresholds, scale and the like), and how it reads."""
        return Task(self.kind, self.labels, width=self.width)

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"kind": self.kind, "labels": list(self.labels)}
        # Left out if unused, so that hashes of older artifacts stay the same.
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
        if self.no_answer is not None:
            value["no_answer"] = self.no_answer
        if self.longest is not None:
            value["longest"] = self.longest
        if self.overlap is not None:
            value["overlap"] = self.overlap
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Task:
        thresholds, scale, transitions = (value.get(key) for key in ("thresholds", "scale", "transitions"))
        return cls(
            kind=value["kind"],
            labels=tuple(value["labels"]),
            thresholds=None if thresholds is None else tuple(float(threshold) for threshold in thresholds),
            scale=None if scale is None else (float(scale[0]), float(scale[1])),
            width=None if value.get("width") is None else int(value["width"]),
            transitions=None
            if transitions is None
            else tuple(tuple(float(score) for score in row) for row in transitions),
            scheme=value.get("scheme"),
            no_answer=None if value.get("no_answer") is None else float(value["no_answer"]),
            longest=None if value.get("longest") is None else int(value["longest"]),
            overlap=None if value.get("overlap") is None else int(value["overlap"]),
        )
