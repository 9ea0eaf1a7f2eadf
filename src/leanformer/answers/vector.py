"""A vector: a text embedding from a sentence encoder. Data cannot have vectors as labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from leanformer.answers.form import NEAR, OfNumbers
from leanformer.answers.labels_check import Label
from leanformer.answers.prediction import Prediction
from leanformer.errors import LeanformerError
from leanformer.metrics.probabilities import unit_vectors
from leanformer.task import Task


def _refuse(*anything: Any) -> NoReturn:
    raise LeanformerError(
        "a model that gives vectors has no labels to learn or to choose by\n"
        "  remedy: leanformer compress --recipe embedder makes it smaller, leanformer bench measures it on pairs"
    )


_UNLABELLED: Any = _refuse


class Vector(OfNumbers):
    """Answers are `[n, width]`, each of length 1. Methods that need labels raise `LeanformerError`."""

    metric = property(_UNLABELLED)
    score = of_rows = estimates = further = beaten_by = found = same = _UNLABELLED
    check = targets = labels = the_only = strata = _UNLABELLED
    learnt = unknown = before_training = after_training = draw = _UNLABELLED

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        return unit_vectors(values)

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        return [Prediction(None, {}, vector=tuple(row)) for row in self.decide(values, task).tolist()]

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where an entry of the normalised vectors differs by more than `NEAR`."""
        return np.asarray((np.abs(unit_vectors(logits) - unit_vectors(reference)) > NEAR).any(axis=1))

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        return list(labels)


VECTOR = Vector(
    name="vector", route="embed", function=None, card="Answer: a vector", per_word=False, taught=False,
    exclusive=False,
)  # fmt: skip
