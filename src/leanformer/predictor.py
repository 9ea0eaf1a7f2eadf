"""The Predictor protocol: texts in, probabilities out. Measuring and the ladder know models only as this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from leanformer.task import Task


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        label: name of the most probable label.
        probabilities: label name -> probability, in the order of the task's labels; they sum to 1.
    """

    label: str
    probabilities: dict[str, float]


@runtime_checkable
class Predictor(Protocol):
    """Anything that scores texts."""

    @property
    def task(self) -> Task: ...

    def tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of each text."""
        ...

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, labels]`, float32, in the order of `rows`."""
        ...


def logits(predictor: Predictor, texts: Sequence[str]) -> np.ndarray:
    """Logits `[texts, labels]`, float32."""
    if not texts:
        return np.zeros((0, len(predictor.task.labels)), dtype=np.float32)
    return predictor.infer(predictor.tokenize(texts))


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def to_predictions(values: np.ndarray, task: Task) -> list[Prediction]:
    """Logits `[texts, labels]` to one `Prediction` per text."""
    return [
        Prediction(
            label=task.labels[int(row.argmax())],
            probabilities={name: float(value) for name, value in zip(task.labels, row, strict=True)},
        )
        for row in softmax(values.astype(np.float64))
    ]
