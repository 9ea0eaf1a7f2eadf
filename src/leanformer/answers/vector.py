"""A vector: the text as numbers, from a sentence encoder. No data have vectors for labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from leanformer.answers.form import NEAR, Form
from leanformer.answers.labels_check import Label
from leanformer.answers.prediction import Prediction
from leanformer.errors import LeanformerError
from leanformer.metrics.probabilities import unit_vectors
from leanformer.task import Question, Task, Text


class Vector(Form):
    """Answers are `[n, width]`, each of length 1. What asks for labels raises `LeanformerError`."""

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        return unit_vectors(values)

    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        return questions

    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        return asked

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        return [Prediction(None, {}, vector=tuple(row)) for row in self.decide(values, task).tolist()]

    @property
    def metric(self) -> str:
        _refuse()

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        _refuse()

    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        _refuse()

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        _refuse()

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        _refuse()

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        _refuse()

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return np.zeros((len(answers), labels), dtype=bool)

    def same(self, answers: np.ndarray, reference: np.ndarray) -> float:
        _refuse()

    def changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        return np.zeros(len(logits), dtype=bool)

    def flipped(self, answers: np.ndarray, reference: np.ndarray) -> float | None:
        return None

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        return None

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where a number of the vectors of length 1 differs by more than `NEAR`."""
        return np.asarray((np.abs(unit_vectors(logits) - unit_vectors(reference)) > NEAR).any(axis=1))

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        _refuse()

    def targets(self, labels: Sequence[Label], names: int) -> np.ndarray:
        _refuse()

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        _refuse()

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        return list(labels)

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        _refuse()

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        _refuse()

    def learnt(self, targets: np.ndarray, task: Task) -> np.ndarray:
        _refuse()

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        _refuse()

    def before_training(self, task: Task, targets: np.ndarray) -> Task:
        _refuse()

    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        _refuse()

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        _refuse()


def _refuse() -> NoReturn:
    raise LeanformerError(
        "a model that gives vectors has no labels to be measured or compressed by\n"
        "  remedy: leanformer predict and serve run it; its parity gate says how far it is from PyTorch (inspect)"
    )


VECTOR = Vector(
    name="vector", route="embed", function=None, card="Answer: a vector", per_word=False, taught=False,
    exclusive=False,
)  # fmt: skip
