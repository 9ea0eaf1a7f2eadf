"""Logits as the JSON that answers a request."""

from __future__ import annotations

from typing import Any

import numpy as np

from leanformer.predictor import Prediction, to_predictions
from leanformer.serve.inputs import Query
from leanformer.task import Task

Scores = list[dict[str, Any]]


def answer(logits: np.ndarray, query: Query, task: Task) -> list[Scores]:
    """For each text its labels with their scores, the best first: `[{"label": ..., "score": ...}, ...]`.

    A task whose answer is a number has the one "label" `score`.
    """
    if query.raw_scores:
        names = task.labels or ("score",)
        return [_ranked(dict(zip(names, map(float, row), strict=True)), query.top_k) for row in logits]
    return [_ranked(_shares(one), query.top_k) for one in to_predictions(logits, task)]


def _shares(prediction: Prediction) -> dict[str, float]:
    score = getattr(prediction, "score", None)
    return prediction.probabilities if score is None else {"score": float(score)}


def _ranked(scores: dict[str, float], top_k: int | None) -> Scores:
    # `sorted` is stable: labels of equal score stay in the task's order.
    best = sorted(scores.items(), key=lambda one: -one[1])[:top_k]
    return [{"label": label, "score": score} for label, score in best]
