"""Logits as the JSON that answers a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leanformer.answers.forms import to_predictions
from leanformer.answers.prediction import Prediction, Span
from leanformer.metrics.probabilities import unit_vectors
from leanformer.serve.http.inputs import Query
from leanformer.tagging.words import Sentence
from leanformer.task import Task

Scores = list[dict[str, Any]]
Spans = list[dict[str, Any]]
# What is found for one text, by what is asked for: the name that it has in the lines of a stream.
NAMES = {"predict": "scores", "tag": "spans", "embed": "embeddings"}


def scores(logits: np.ndarray, query: Query, task: Task) -> list[Scores]:
    """For each text its labels with their scores, the best first: `[{"label": ..., "score": ...}, ...]`.

    A task whose answer is a number has the one "label" `score`.
    """
    if query.raw_scores:
        names = task.labels or ("score",)
        return [_ranked(dict(zip(names, map(float, row), strict=True)), query.top_k) for row in logits]
    return [_ranked(_shares(prediction), query.top_k) for prediction in to_predictions(logits, task)]


def spans(logits: np.ndarray, sentences: Sequence[Sentence], task: Task) -> list[Spans]:
    """For each text its entities in their order, in the shape of Hugging Face's token classification.

    `start` and `end` (exclusive) count the characters (Unicode code points) of the text as it was given, of a list of
    words those of the words with single spaces between; `word` is that piece, letter for letter.

    Args:
        logits: of words, ragged `[sentences]` of `[words, labels]`.
    """
    return [[_span(span) for span in each.spans or ()] for each in to_predictions(logits, task, sentences)]


def vectors(values: np.ndarray, query: Query) -> list[list[float]]:
    """For each text its vector, of length 1 unless asked for as it is."""
    rows = unit_vectors(values) if query.normalize else values
    # So many digits are as good as all bits of a float32, and half as long as those of the float64 of the same value.
    return [[float(f"{value:.9g}") for value in row] for row in rows.tolist()]


def _span(span: Span) -> dict[str, Any]:
    return {
        "entity_group": span.label, "score": span.probability, "word": span.text, "start": span.start, "end": span.end
    }  # fmt: skip


def _shares(prediction: Prediction) -> dict[str, float]:
    score = getattr(prediction, "score", None)
    return prediction.probabilities if score is None else {"score": float(score)}


def _ranked(values: dict[str, float], top_k: int | None) -> Scores:
    # `sorted` is stable: labels of equal score stay in the task's order.
    best = sorted(values.items(), key=lambda item: -item[1])[:top_k]
    return [{"label": label, "score": score} for label, score in best]
