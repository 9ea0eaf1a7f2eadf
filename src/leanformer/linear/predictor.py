"""The predictor of a linear model on n-grams: sparse vectors times one matrix, with numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.linear.features import Features
from leanformer.task import Task, Text


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """A linear model (see `predictor.Predictor`).

    Attributes:
        task: including what the model learnt for it: thresholds, or a scale.
        features: how texts become vectors.
        weights: `[features.width, task.outputs]`, float32; the first row is the bias.
    """

    task: Task
    features: Features
    weights: np.ndarray

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """The sparse vector of each text or pair: columns and values, `[entries, 2]`, float64."""
        return self.features.encode(texts)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32. A row's logits do not depend on the other rows."""
        values = np.empty((len(rows), self.weights.shape[1]), dtype=np.float32)
        for number, row in enumerate(rows):
            np.matmul(row[:, 1].astype(np.float32), self.weights[row[:, 0].astype(np.intp)], out=values[number])
        return values
