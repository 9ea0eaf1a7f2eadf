"""One of several candidates as an answer."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.choice import CHOICE
from leanformer.answers.forms import changed_answers, decide, probability_agreement, score_logits
from leanformer.answers.prediction import to_record
from leanformer.export.parity import compare
from leanformer.measure.quality import measure_quality
from leanformer.tagging.ragged import ragged
from leanformer.task import Task

TASK = Task("choice", ())
LOGITS = ragged([np.array(run, dtype=np.float32) for run in ([0.0, 2.0], [3.0, 0.0, 1.0], [0.0, 0.005])])
OTHER = ragged([np.array(run, dtype=np.float32) for run in ([0.0, 2.0], [0.0, 3.0, 1.0], [0.005, 0.0])])


def test_the_most_probable_candidate_is_the_answer() -> None:
    assert decide(LOGITS, TASK).tolist() == [1, 0, 1]
    assert score_logits(LOGITS, np.array([1, 0, 0]), TASK) == pytest.approx(2 / 3)


def test_probabilities_sum_to_one_over_the_candidates_of_each_question() -> None:
    questions = [("q", ["a", "b"]), ("r", ["c", "d", "e"]), ("s", ["f", "g"])]
    asked = CHOICE.read(questions)  # type: ignore[arg-type]
    first, second, _ = CHOICE.predictions(LOGITS, asked, TASK)
    assert first.choice == 1 and first.label is None and first.shares is not None
    assert first.shares == pytest.approx((1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))))
    assert second.shares is not None and len(second.shares) == 3 and sum(second.shares) == pytest.approx(1)
    record = to_record(questions[0], first)  # type: ignore[arg-type]
    assert record == {"text": "q", "choices": ["a", "b"], "choice": 1, "probabilities": [0.119203, 0.880797]}


def test_two_models_are_compared_by_question() -> None:
    quality = measure_quality(LOGITS, np.array([1, 0, 0]), OTHER, TASK)
    assert (quality.quality, quality.agreement) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert quality.quality_low <= quality.quality <= quality.quality_high
    assert probability_agreement(LOGITS, LOGITS, TASK) == 1
    assert 0 < float(probability_agreement(LOGITS, OTHER, TASK) or 0) < 1
    parity = compare(LOGITS, OTHER, TASK)
    assert parity.n == 3 and parity.flips == pytest.approx(2 / 3) and parity.max_difference == 3
    # The last question is a near tie, which rounding may turn.
    assert changed_answers(OTHER, LOGITS, TASK) == pytest.approx(1 / 3)


def test_a_model_that_is_beaten_by_a_place_is_said_to_be() -> None:
    targets = np.array([0, 0, 0, 1])
    assert CHOICE.beaten_by(np.array([0, 0, 0, 0]), targets, TASK) is None
    said = CHOICE.beaten_by(np.array([1, 1, 1, 1]), targets, TASK)
    assert said == ("it is right for 25.0 % of 4 questions, and always choosing candidate 1 would be for 75.0 %")
    assert CHOICE.beaten_by(np.array([1, 1]), np.array([0, 0]), TASK) is None


def test_labels_are_numbers_of_candidates() -> None:
    CHOICE.check((0, 3), ("q", "r"), 0)
    for label in (-1, 1.0, True, (0,)):
        with pytest.raises(ValueError, match="is not the number of a candidate"):
            CHOICE.check((label,), ("q",), 0)
    assert CHOICE.the_only((2, 2), ()) == "candidate 3" and CHOICE.the_only((2, 1), ()) == ""


def test_candidates_are_drawn_by_their_probabilities() -> None:
    sure = ragged([np.array(run) for run in ([0.0, 50.0], [50.0, 0.0, 0.0])])
    assert CHOICE.draw(sure, np.random.default_rng(0)).tolist() == [1, 0]
    even = ragged([np.zeros(2)] * 400)
    assert 0.4 < CHOICE.draw(even, np.random.default_rng(0)).mean() < 0.6
