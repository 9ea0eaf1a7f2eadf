"""The protocol of an answer form, and of tables that have an entry for each form.

A form is one file in this folder, and an entry in `forms.FORMS`. `Form` has no defaults: a form that omits something
cannot be instantiated, and looking up a form that is missing in a table raises an error. Implementations shared by
several forms are in `OfTexts` and `OfLabels`, which a form inherits explicitly.
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
from leanformer.metrics.estimates import Estimate
from leanformer.metrics.probabilities import softmax
from leanformer.tagging.ragged import flat
from leanformer.task import Question, Task, Text

# Tolerance for probabilities between two engines, or two pack sizes (for scores: as a share of their range).
NEAR = 0.02
# A figure, and the bounds of its interval.
Figure = tuple[float, float, float]
_Entry = TypeVar("_Entry")


class FormTable(dict[str, _Entry]):
    """A table with an entry for each answer form. Looking up a missing form raises `LeanformerError`."""

    def __init__(self, place: str, entries: Mapping[str, _Entry]) -> None:
        super().__init__(entries)
        self.place = place

    def __missing__(self, name: str) -> _Entry:
        raise LeanformerError(
            f"answers of the form {name!r} are not built; {', '.join(sorted(self))} are\n"
            f"  remedy: give a task of another kind, or add the form to {self.place}"
        )


@dataclass(frozen=True)
class Windowed:
    """How models that give logits for every token read a long text: whole, in windows.

    `tokenizer` makes an object whose `windows(texts)` are those of each text, as `tagging.windows.SentenceTokenizer`;
    `join` turns logits of all tokens, windows, texts and task into logits of each text, as `tagging.windows.to_words`.
    """

    tokenizer: Callable[..., Any]
    join: Callable[[np.ndarray, Sequence[Any], Sequence[Any], Task], np.ndarray]


@dataclass(frozen=True)
class Form(ABC):
    """Everything that depends on the answer form of a task.

    Throughout, `values`, `logits` and `reference` are outputs `[n, outputs]` as returned by `predictor.logits` (ragged
    `[n]` of `[words, outputs]` if there is an answer for each word), `answers` are as returned by `decide`, and
    `targets` as returned by `targets`.

    Attributes:
        name: the form's name in `task.Kind.answer`.
        route: the server route for such answers: a key of `serve.http.inputs.OPTIONS`; "" if there is none.
        function: maps logits to probabilities, "softmax" or "sigmoid"; None if there are no probabilities.
        card: how a model card introduces the answer, before the label names.
        per_word: whether there is an answer for each word of a text, so that a long text is read in windows.
        taught: whether data can have labels of this form, to train and to evaluate with.
        exclusive: whether an answer is a single class, so that classes can be compared: in slices of the test split, by
            the guarantee of a cascade.
        windowed: how long texts are read in windows, if models give logits for every token; otherwise None.
    """

    name: str
    route: str
    function: str | None
    card: str
    per_word: bool
    taught: bool
    exclusive: bool
    windowed: Windowed | None = None

    # From logits to answers.

    @abstractmethod
    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        """The answers for logits, as an array."""

    @abstractmethod
    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        """The questions in the form that `predictions` needs."""

    @abstractmethod
    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        """The model's inputs for the result of `read`."""

    @abstractmethod
    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        """A `Prediction` for each question."""

    # Quality.

    @property
    @abstractmethod
    def metric(self) -> str:
        """The name of the one figure by which models are compared (docs/decisions/0010)."""

    @abstractmethod
    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        """That figure as a function of answers and targets; at most 1, higher is better."""

    @abstractmethod
    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        """The figure as a function of the rows (indices) to include, for resampling."""

    @abstractmethod
    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        """The figures that the ship gate can bound, by name, with what each row contributes; `metric` is the first."""

    @abstractmethod
    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        """Further fields of `measure.quality.Quality`."""

    @abstractmethod
    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        """A constant or random answer that is at least as good, in words; None without one. `targets` is not empty."""

    @abstractmethod
    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        """The names of what can be found (labels, entity types), and how often each row has it and was given it.

        `[n, names]`; no names if there is nothing to be found.
        """

    @abstractmethod
    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        """Which of `labels` labels each row was given, `[n, labels]`; none if answers are not labels."""

    # Comparison of two models.

    @abstractmethod
    def same(self, answers: np.ndarray, reference: np.ndarray) -> float:
        """Share of rows, or words, with the same answer (label loyalty, Xu et al. 2021), or the closest equivalent."""

    @abstractmethod
    def changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Whether each row's, or word's, answer differs `[n]`; always false for answers that are numbers."""

    @abstractmethod
    def flipped(self, answers: np.ndarray, reference: np.ndarray) -> float | None:
        """Share of rows whose answer differs; None for answers that are numbers."""

    @abstractmethod
    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        """Probabilities of rows or words that sum to 1 over the last axis; None if there are none."""

    @abstractmethod
    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Whether each row's answer differs and was not a near tie `[n]`, so that rounding cannot explain it."""

    # Labels.

    @abstractmethod
    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        """Raise `ValueError` if the labels of `texts` are not of this form; there are `names` label names."""

    @abstractmethod
    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        """Labels of `inputs` as an array."""

    @abstractmethod
    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        """Answers, or targets, as labels."""

    @abstractmethod
    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        """Labels of `old` as those of `new`; `numbers` are given if the label names of `old` are numbers of labels."""

    @abstractmethod
    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        """What all of these have in common, in words ("the label 'a'"); "" if they differ. `labels` is not empty."""

    @abstractmethod
    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """The stratum of each row, for stratified sampling."""

    # Training.

    @abstractmethod
    def learnt(self, targets: np.ndarray, task: Task) -> np.ndarray:
        """Targets as the losses need them (see `train.targets.labels_of`)."""

    @abstractmethod
    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        """Placeholder labels for unlabelled texts: -1, or NaN."""

    @abstractmethod
    def before_training(self, task: Task, targets: np.ndarray) -> Task:
        """The task with what it learns from the training targets: the scale of scores."""

    @abstractmethod
    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        """The task with what it learns from a trained model's logits on dev: thresholds."""

    @abstractmethod
    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Labels sampled from a teacher's logits, in the format of `targets`."""


class OfTexts(Form):
    """Shared by forms that have one answer for each text, or pair of texts."""

    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        return questions

    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        return asked

    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        score = self.score(task)
        return lambda rows: score(answers[rows], targets[rows])


class OfNumbers(OfTexts):
    """Shared by forms whose answers are numbers, not names: no label applies, and small differences are no change."""

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return np.zeros((len(answers), labels), dtype=bool)

    def changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        return np.zeros(len(logits), dtype=bool)

    def flipped(self, answers: np.ndarray, reference: np.ndarray) -> float | None:
        return None

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        return None


class OfLabels(Form):
    """Shared by forms whose answers consist of label names, so that two answers are either equal or not."""

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
    """Whether each row's, or word's, answer differs, `[n]`."""
    different = flat(answers) != flat(reference)
    return np.asarray(different if different.ndim == 1 else different.any(axis=1))


def worst(recalls: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """The label with the lowest recall, among those that occur, as fields of `Quality`."""
    if not np.isfinite(recalls).any():
        return {}
    number = int(np.nanargmin(recalls))
    return {"worst_class": names[number], "worst_class_recall": float(recalls[number])}


def named(name: str, figure: Figure) -> dict[str, float]:
    """A figure with its interval, as fields of `Quality`."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), figure, strict=True))


def with_interval(score: Callable[[np.ndarray, np.ndarray], float], answers: np.ndarray, targets: np.ndarray) -> Figure:
    """A score of answers and targets, with the bounds of its interval."""
    low, high = interval(lambda rows: float(score(answers[rows], targets[rows])), len(targets))
    return float(score(answers, targets)), low, high


def draw_class(logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Class indices `[n]` sampled from the probabilities of logits `[n, classes]`."""
    cumulated = np.cumsum(softmax(logits), axis=1)
    draws = generator.random((len(logits), 1)) * cumulated[:, -1:]
    return np.asarray((draws >= cumulated).sum(axis=1))
