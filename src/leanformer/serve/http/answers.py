"""Logits as the JSON that answers a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leanformer.answers.forms import to_predictions
from leanformer.answers.prediction import Prediction, Span, answer_fields
from leanformer.metrics.probabilities import unit_vectors
from leanformer.serve.http.inputs import Query
from leanformer.tagging.words import Sentence
from leanformer.task import Task

Scores = list[dict[str, Any]]
Spans = list[dict[str, Any]]
# The name of the answer to one text in the lines of a stream, by route.
NAMES = {"predict": "scores", "tag": "spans", "embed": "embeddings", "answer": "answers"}


def scores(logits: np.ndarray, query: Query, task: Task) -> list[Any]:
    """For each text its labels with their scores, the highest first: `[{"label": ..., "score": ...}, ...]`.

    As arrays, the scores are in the order of the labels.

    A task whose answer is a number has a single "label", `score`.
    """
    if query.arrays:
        return list(logits if query.raw_scores else map(_row, to_predictions(logits, task)))
    if query.raw_scores:
        names = task.labels or ("score",)
        return [_ranked(dict(zip(names, map(float, row), strict=True)), query.top_k) for row in logits]
    return [_ranked(_shares(prediction), query.top_k) for prediction in to_predictions(logits, task)]


def spans(logits: np.ndarray, sentences: Sequence[Sentence], task: Task) -> list[Spans]:
    """For each text its entities in order, in the format of Hugging Face's token classification.

    `start` and `end` (exclusive) are offsets in characters (Unicode code points) of the original text; for a list of
    words, of the words joined by single spaces. `word` is that substring, unchanged.

    Args:
        logits: of words, ragged `[sentences]` of `[words, labels]`.
    """
    return [[_span(span) for span in prediction.spans or ()] for prediction in to_predictions(logits, task, sentences)]


def of_context(logits: np.ndarray, query: Query, task: Task) -> list[Spans]:
    """For each question the best answers from its context, the one that is given first.

    Args:
        logits: of characters, ragged `[questions]` of `[1 + characters, 2]`.
    """
    predictions = to_predictions(logits, task, query.texts)
    return [
        [answer_fields(answer) for answer in (prediction.answers or ())[: query.top_k]] for prediction in predictions
    ]


def vectors(values: np.ndarray, query: Query) -> list[Any]:
    """For each text its vector, with length 1 unless the query asks for raw vectors; as numbers, or as an array."""
    rows = unit_vectors(values) if query.normalize else values
    if query.arrays:
        return list(rows)
    return [numbers(row) for row in rows]


def numbers(vector: np.ndarray) -> list[float]:
    """The numbers of a vector, as JSON has them."""
    # This many digits represent every float32 exactly, in half the length of the float64 digits of the same value.
    return [float(f"{value:.9g}") for value in vector.tolist()]


def _span(span: Span) -> dict[str, Any]:
    return {
        "entity_group": span.label, "score": span.probability, "word": span.text, "start": span.start, "end": span.end
    }  # fmt: skip


def _shares(prediction: Prediction) -> dict[str, float]:
    score = getattr(prediction, "score", None)
    return prediction.probabilities if score is None else {"score": float(score)}


def _row(prediction: Prediction) -> np.ndarray:
    return np.array(list(_shares(prediction).values()), dtype=np.float32)


def _ranked(values: dict[str, float], top_k: int | None) -> Scores:
    # `sorted` is stable: labels with equal scores stay in the task's order.
    best = sorted(values.items(), key=lambda item: -item[1])[:top_k]
    return [{"label": label, "score": score} for label, score in best]
