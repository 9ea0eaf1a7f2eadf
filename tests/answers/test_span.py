"""A piece of a context as an answer."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.answers.forms import changed_answers, decide, probability_agreement, score_logits
from leanformer.answers.prediction import to_record
from leanformer.answers.span import SPAN
from leanformer.export.parity import compare
from leanformer.measure.quality import measure_quality
from leanformer.measure.ship_gate import Bounds, forecast
from leanformer.spans.best import NOWHERE
from leanformer.tagging.ragged import ragged
from leanformer.task import Task

TASK, SURE = Task("span", (), no_answer=0.0), Task("span", ())
CONTEXT = "It was Ada Lovelace."
INPUTS = [("Who?", CONTEXT)] * 3
TARGETS = SPAN.targets((((7, 19), (7, 10)), ((7, 10),), ()), 0, INPUTS)


def logits(*spans: tuple[int, int, float]) -> np.ndarray:
    values = np.full((1 + len(CONTEXT), 2), NOWHERE, dtype=np.float32)
    values[0] = 0
    for start, end, score in spans:
        values[1 + start, 0], values[end, 1] = score / 2, score / 2
    return values


LOGITS = ragged([logits((7, 19, 4.0)), logits((7, 19, 3.0)), logits((0, 2, -2.0))])


def test_the_best_span_is_the_answer_if_its_score_suffices() -> None:
    assert decide(LOGITS, TASK).tolist() == [[7, 19], [7, 19], [0, 0]]
    assert decide(LOGITS, SURE).tolist() == [[7, 19], [7, 19], [0, 2]]
    assert decide(LOGITS, Task("span", (), longest=11)).tolist()[0] == [0, 0]
    assert score_logits(LOGITS, TARGETS, TASK) == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_a_prediction_has_the_best_answers_with_probabilities() -> None:
    both = ragged([logits((7, 19, 4.0)), logits((0, 2, -2.0))])
    asked = SPAN.read(INPUTS[:2])
    first, none = SPAN.predictions(both, asked, TASK)
    assert first.answers is not None and none.answers is not None
    share = 1 / (1 + np.exp(-4.0))
    assert [(answer.text, answer.start, answer.end) for answer in first.answers] == [
        ("Ada Lovelace", 7, 19), ("", 0, 0)
    ]  # fmt: skip
    assert [answer.probability for answer in first.answers] == pytest.approx([share, 1 - share])
    assert to_record(INPUTS[0], first) == {
        "question": "Who?", "answer": "Ada Lovelace", "start": 7, "end": 19, "score": 0.982014,
        "others": [{"answer": None, "start": None, "end": None, "score": 0.017986}],
    }  # fmt: skip
    assert [answer.text for answer in none.answers] == ["", "It"]
    [always] = SPAN.predictions(both[:1], asked[:1], SURE)
    assert always.answers is not None and [answer.probability for answer in always.answers] == pytest.approx([1.0])


def test_the_threshold_is_the_best_one_on_dev() -> None:
    values = ragged([logits((7, 19, 4.0)), logits((7, 10, 1.0)), logits((0, 2, 2.0))])
    learnt = SPAN.after_training(Task("span", ()), values, TARGETS)
    # Answering the first alone, or the first two as well as the third, which has no answer: 2 of 3 right either way.
    assert learnt.no_answer == 3.0 and score_logits(values, TARGETS, learnt) == pytest.approx(2 / 3)
    better = ragged([logits((7, 19, 4.0)), logits((7, 10, 3.0)), logits((0, 2, 2.0))])
    learnt = SPAN.after_training(Task("span", ()), better, TARGETS)
    assert learnt.no_answer == 2.5 and score_logits(better, TARGETS, learnt) == 1
    assert SPAN.after_training(learnt, better[:2], TARGETS[:2]).no_answer is None, "all have answers"
    assert SPAN.before_training(SURE, TARGETS).longest == 12
    assert Task.from_json(learnt.to_json()) == learnt and learnt.question == SURE


def test_two_models_are_compared_by_question() -> None:
    other = ragged([logits((7, 19, 4.0)), logits((7, 10, 3.0)), logits((0, 2, 0.01))])
    quality = measure_quality(LOGITS, TARGETS, other, TASK)
    assert quality.quality == pytest.approx((1 + 2 / 3 + 1) / 3) and quality.agreement == pytest.approx(1 / 3)
    assert quality.quality_low <= quality.quality <= quality.quality_high
    assert {"exact match", "F1 of questions with an answer", "F1 of questions without one"} == {*quality.scores}
    assert probability_agreement(LOGITS, LOGITS, TASK) == 1
    assert 0 < float(probability_agreement(LOGITS, other, TASK) or 0) < 1
    parity = compare(LOGITS[:1], ragged([logits((7, 19, 4.5))]), TASK)
    assert parity.max_difference == 0.25 and parity.reference_spread < 10, "only characters that have a logit count"
    # The answer of the last was a near tie with no answer, which rounding may turn.
    assert changed_answers(LOGITS, other, TASK) == pytest.approx(1 / 3)


def test_the_gate_can_say_what_can_be_shown_before_an_answer_is_looked_at() -> None:
    assert forecast(TARGETS, TASK, Bounds(max_drop=5.0))
    estimates = SPAN.estimates(decide(LOGITS, TASK), TARGETS, TASK)
    assert {name: pytest.approx(each.value) for name, each in estimates.items()} == {
        "answer F1": (1 + 2 / 3 + 1) / 3, "exact match": 2 / 3
    }  # fmt: skip


def test_a_model_that_is_no_better_than_silence_is_said_to_be() -> None:
    silent = np.zeros((3, 2), dtype=np.int64)
    assert SPAN.beaten_by(decide(LOGITS, TASK), TARGETS, TASK) is None
    said = SPAN.beaten_by(silent, TARGETS, TASK)
    assert said is not None and "on 3 questions is 33.3 %, and always saying that there is no answer" in said


def test_labels_are_spans() -> None:
    SPAN.check((((0, 1), (2, 3)), ()), ("q", "r"), 0)
    for label in (1, ((1, 1),), ((-1, 2),), (1, 2)):
        with pytest.raises(ValueError, match="is not a tuple of spans"):
            SPAN.check((label,), ("q",), 0)
    assert SPAN.labels(TARGETS) == (((7, 19), (7, 10)), ((7, 10),), ())
    assert SPAN.labels(decide(LOGITS, TASK)) == (((7, 19),), ((7, 19),), ())
    assert SPAN.learnt(TARGETS, TASK).tolist() == [[7, 19], [7, 10], [0, 0]]
    assert SPAN.the_only(((), ()), ()) == "no answer" and SPAN.the_only((((1, 2),), ()), ()) == ""
    assert SPAN.strata(TARGETS, (), None) == (1, 1, 0)


def test_answers_are_drawn_by_their_probabilities() -> None:
    values = ragged([logits((7, 19, 60.0)), logits((0, 2, -60.0))])
    assert SPAN.draw(values, np.random.default_rng(0)).tolist() == [[7, 19], [0, 0]]
