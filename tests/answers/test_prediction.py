"""An answer as JSON: the question and the fields that its form has."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.answers.prediction import Answer, Prediction, Span, answer_fields, to_record


@pytest.mark.parametrize(
    ("question", "prediction", "record"),
    [
        ("t", Prediction("a", {"a": 0.75, "b": 0.25}),
         {"text": "t", "label": "a", "probabilities": {"a": 0.75, "b": 0.25}}),
        (("t", "u"), Prediction("a", {"a": 1 / 3}),
         {"text": "t", "text_pair": "u", "label": "a", "probabilities": {"a": 0.333333}}),
        ("t", Prediction(None, {"a": 0.9, "b": 0.1}, labels=()),
         {"text": "t", "labels": [], "probabilities": {"a": 0.9, "b": 0.1}}),
        ("t", Prediction(None, {}, score=2.00000049), {"text": "t", "score": 2.0}),
        ("t", Prediction(None, {}, vector=(0.123456789, -1.0)), {"text": "t", "vector": [0.12345679, -1.0]}),
        (("q", ("x", "y")), Prediction(None, {}, choice=1, shares=(0.25, 0.75)),
         {"text": "q", "choices": ["x", "y"], "choice": 1, "probabilities": [0.25, 0.75]}),
        (["in", "Oslo"], Prediction(None, {}, tags=("O", "B-LOC"), spans=(Span("LOC", 3, 7, "Oslo", 0.5),)),
         {"text": "in Oslo", "spans": [{"label": "LOC", "start": 3, "end": 7, "text": "Oslo", "probability": 0.5}]}),
        (("q", "a context"), Prediction(None, {}, answers=(Answer("a", 0, 1, 0.5), Answer("", 0, 0, 0.25))),
         {"question": "q", "answer": "a", "start": 0, "end": 1, "score": 0.5,
          "others": [{"answer": None, "start": None, "end": None, "score": 0.25}]}),
    ],
)  # fmt: skip
def test_the_fields_that_are_set_are_written(question: Any, prediction: Prediction, record: dict[str, Any]):
    assert to_record(question, prediction) == record


def test_an_answer_at_the_beginning_is_no_missing_one():
    assert answer_fields(Answer("a", 0, 1, 0.1234567)) == {"answer": "a", "start": 0, "end": 1, "score": 0.123457}
