"""The protocol of a form of answer, and of tables that have a line for each form.

A form is one file beside this one, and a line in `forms.FORMS`. `Form` has no defaults: a form that leaves something
out cannot be made, and one that is not in a table is refused by it. What several share is inherited from `OfTexts` and
`OfLabels` by those that name them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from leanformer.answers.labels_check import Label
from leanformer.answers.prediction import Prediction
from leanformer.errors import LeanformerError
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.probabilities import softmax
from leanformer.tagging.ragged import flat
from leanformer.task import Question, Task, Text

# What two engines, or two sizes of packs, may differ by in a probability (of scores: as a share of their range).
NEAR = 0.02
# A figure, and the ends of its interval.
Figure = tuple[float, float, float]
_Entry = TypeVar("_Entry")


class FormTable(dict[str, _Entry]):
    """A table with a line for each form of answer. Looking up a form that it lacks raises `LeanformerError`."""

    def __init__(self, place: str, entries: Mapping[str, _Entry]) -> None:
        super().__init__(entries)
        self.place = place

    def __missing__(self, name: str) -> _Entry:
        raise LeanformerError(
            f"answers of the form {name!r} are not built; {', '.join(sorted(self))} are\n"
            f"  remedy: give a task of another kind, or add the form to {self.place}"
        )


@dataclass(frozen=True)
class Form(ABC):
    """What depends on the form of a task's answer.

    In all of it `values`, `logits` and `reference` are outputs `[n, outputs]` as `predictor.logits` gives them (ragged
    `[n]` of `[words, outputs]` where there is an answer for each word), `answers` are as `decide` gives them, and
    `targets` as `targets` does.

    Attributes:
        name: what the form is called in `task.Kind.answer`.
        route: what a server is asked for such answers: a key of `serve.http.inputs.OPTIONS`; "" where none is served.
        function: what makes probabilities of logits, "softmax" or "sigmoid"; None where there are no probabilities.
        card: how a model card introduces the answer, before the label names.
        per_word: whether there is an answer for each word of a text, so that a long text is read in windows.
        taught: whether data can have labels of this form, to train with and to measure by.
        exclusive: whether an answer is one class of several, so that classes can be compared: in slices of the test
            split, by the ship gate, by the promise of a cascade.
    """

    name: str
    route: str
    function: str | None
    card: str
    per_word: bool
    taught: bool
    exclusive: bool

    # From logits to answers.

    @abstractmethod
    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        """The answers that logits stand for, as an array."""

    @abstractmethod
    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        """The questions as `predictions` needs them."""

    @abstractmethod
    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        """What a model is given for what `read` gives."""

    @abstractmethod
    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        """A `Prediction` for each question."""

    # How good they are.

    @property
    @abstractmethod
    def metric(self) -> str:
        """What the one figure is called by which models are compared (docs/decisions/0010)."""

    @abstractmethod
    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        """That figure as a function of answers and targets; at most 1, higher is better."""

    @abstractmethod
    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        """The figure as a function of the rows (indices) that are looked at, for drawing many samples of them."""

    @abstractmethod
    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        """Further fields of `measure.quality.Quality`."""

    @abstractmethod
    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        """Which answer that reads no text is at least as good, in words; None where none is. `targets` are not none."""

    @abstractmethod
    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        """The names of what can be found (labels, types of entity), and how often each row has it and was given it.

        `[n, names]`; no names where there are none to be found.
        """

    @abstractmethod
    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        """Which of so many labels each row was given, `[n, labels]`; none where answers are no labels."""

    # One model beside another.

    @abstractmethod
    def same(self, answers: np.ndarray, reference: np.ndarray) -> float:
        """Share of rows, or words, with the same answer (label loyalty, Xu et al. 2021), or what comes near it."""

    @abstractmethod
    def changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Whether each row's, or word's, answer is another one `[n]`; never where each differs a little."""

    @abstractmethod
    def flipped(self, answers: np.ndarray, reference: np.ndarray) -> float | None:
        """Share of rows whose answer is another one; None where each differs a little."""

    @abstractmethod
    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        """Probabilities that sum to 1 over the last axis, of rows or words; None where there are none."""

    @abstractmethod
    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Whether each row's answer is another one and was no near tie `[n]`: what no rounding explains."""

    # Labels.

    @abstractmethod
    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        """Raise `ValueError` for labels that are not of this form, of `texts` and with so many label names."""

    @abstractmethod
    def targets(self, labels: Sequence[Label], names: int) -> np.ndarray:
        """Labels as an array."""

    @abstractmethod
    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        """Answers, or targets, as labels."""

    @abstractmethod
    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        """Labels of `old` as those of `new`; `numbers` are given where the names of `old` are numbers of labels."""

    @abstractmethod
    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        """What all of these have, in words ("the label 'a'"); "" where they differ. `labels` are not none."""

    @abstractmethod
    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """By what rows are to be stratified."""

    # Training.

    @abstractmethod
    def learnt(self, targets: np.ndarray, task: Task) -> np.ndarray:
        """Targets as the losses need them (see `train.targets.labels_of`)."""

    @abstractmethod
    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        """What stands for the labels of unlabelled texts: -1, or not-a-number."""

    @abstractmethod
    def before_training(self, task: Task, targets: np.ndarray) -> Task:
        """The task with what it learns of the training targets: the scale of scores."""

    @abstractmethod
    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        """The task with what it learns of a trained model's logits on dev: thresholds."""

    @abstractmethod
    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Labels drawn from what a teacher's logits say, as `targets` has them."""


class OfTexts(Form):
    """What forms share that have one answer for each text, or pair of texts."""

    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        return questions

    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        return asked

    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        score = self.score(task)
        return lambda rows: score(answers[rows], targets[rows])


class OfNumbers(OfTexts):
    """What forms share whose answers are numbers, not names: no label applies to one, and none changes."""

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return np.zeros((len(answers), labels), dtype=bool)

    def changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        return np.zeros(len(logits), dtype=bool)

    def flipped(self, answers: np.ndarray, reference: np.ndarray) -> float | None:
        return None

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        return None


class OfLabels(Form):
    """What forms share whose answers are made of label names: two of them are the same, or they are not."""

    def same(self, answers: np.ndarray, reference: np.ndarray) -> float:
        return 1 - float(differs(answers, reference).mean())

    def changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        return differs(self.decide(logits, task), self.decide(reference, task))

    def flipped(self, answers: np.ndarray, reference: np.ndarray) -> float | None:
        return float(differs(answers, reference).mean())

    def learnt(self, targets: np.ndarray, task: Task) -> np.ndarray:
        return targets

    def before_training(self, task: Task, targets: np.ndarray) -> Task:
        return task

    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        return task


def differs(answers: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Whether each row, or word, has another answer, `[n]`."""
    different = flat(answers) != flat(reference)
    return np.asarray(different if different.ndim == 1 else different.any(axis=1))


def worst(recalls: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """The label found least often, of those that occur, as fields of `Quality`."""
    if not np.isfinite(recalls).any():
        return {}
    number = int(np.nanargmin(recalls))
    return {"worst_class": names[number], "worst_class_recall": float(recalls[number])}


def named(name: str, figure: Figure) -> dict[str, float]:
    """A figure with its interval as fields of `Quality`."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), figure, strict=True))


def with_interval(score: Callable[[np.ndarray, np.ndarray], float], answers: np.ndarray, targets: np.ndarray) -> Figure:
    """A score of answers and targets, and the ends of its interval."""
    low, high = interval(lambda rows: float(score(answers[rows], targets[rows])), len(targets))
    return float(score(answers, targets)), low, high


def draw_class(logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Class indices `[n]` drawn from the probabilities of logits `[n, classes]`."""
    cumulated = np.cumsum(softmax(logits), axis=1)
    draws = generator.random((len(logits), 1)) * cumulated[:, -1:]
    return np.asarray((draws >= cumulated).sum(axis=1))
