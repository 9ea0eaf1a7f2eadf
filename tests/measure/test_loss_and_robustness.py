"""Where quality was lost, by hand; perturbations that are small, deterministic and counted for what they change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from leanformer.measure.lost_quality import LISTED, describe_loss
from leanformer.measure.robustness import lower, robustness, typos, upper
from leanformer.task import Task

TASK = Task("classification", ("a", "b"))


def one_hot(classes: Sequence[int], sure: float = 3.0) -> np.ndarray:
    return np.eye(2)[np.asarray(classes)] * sure


def test_a_small_case_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 1])
    reference, ours = one_hot([0, 0, 0, 1, 1, 0]), one_hot([0, 1, 0, 1, 0, 1])
    ours[1] *= 2  # the surest of the two lost ones
    found = describe_loss(ours, reference, labels, TASK, [3, 3, 9, 9, 9, 9])
    assert (found["lost"], found["gained"], found["changed"]) == (2, 1, 3)
    assert found["mcnemar_p"] == 1.0
    assert [(label["name"], label["n"], label["lost"], label["gained"]) for label in found["classes"]] == [
        ("a", 3, 1, 0), ("b", 3, 1, 1),
    ]  # fmt: skip
    assert sum(length["n"] for length in found["lengths"]) == 6
    assert [flip["row"] for flip in found["flips"]] == [1, 4, 5], "lost before gained, and the surest first"
    assert found["flips"][0] | {"probability": 0} == {
        "row": 1, "label": "a", "reference": "a", "answer": "b", "probability": 0,
    }  # fmt: skip
    assert found["calibration"]["temperature"] is None


def test_the_temperature_comes_from_dev_alone():
    labels = np.arange(200) % 2
    answers = np.where(np.arange(200) % 5 == 0, 1 - labels, labels)  # right four times in five
    logits = one_hot(answers, sure=8.0)
    found = describe_loss(logits, logits, labels, TASK, [5] * 200, (logits, labels))["calibration"]
    assert found["error"] == pytest.approx(0.2, abs=0.01)
    # log 4 makes the probability 0.8; the logits are 8 apart.
    assert found["temperature"] == pytest.approx(8 / np.log(4), rel=0.01)
    assert found["error_scaled"] < 0.01
    right = describe_loss(logits, logits, labels, TASK, [5] * 200, (logits, answers))["calibration"]
    assert right["temperature"] < 1, "where dev says the model is always right, it is made surer, whatever test says"


def test_only_so_many_are_listed():
    labels = np.zeros(300, dtype=int)
    found = describe_loss(one_hot([1] * 300), one_hot([0] * 300), labels, TASK, [4] * 300)
    assert found["changed"] == 300 and len(found["flips"]) == LISTED


def test_typing_errors_are_small_and_the_same_every_time():
    text = "The concert yesterday evening was wonderful, and nobody wanted it to end so early."
    seen = {typos(text, seed) for seed in range(20)}
    assert len(seen) > 5
    assert typos(text) == typos(text) != text
    for variant in seen:
        pairs = list(zip(text.split(" "), variant.split(" "), strict=True))
        altered = [(old, new) for old, new in pairs if old != new]
        assert 1 <= len(altered) <= 2
        for old, new in altered:
            assert (old[0], old[-1]) == (new[0], new[-1]) and abs(len(old) - len(new)) <= 1
            assert old.isalpha() and len(old) >= 4
    assert typos("so it is 12345 a-b-c-d") == "so it is 12345 a-b-c-d", "nothing long enough to bear one"
    assert (lower("Ab C"), upper("Ab c")) == ("ab c", "AB C")


class Cased:
    """Answers "b" to any capital letter and "a" to the rest."""

    task = TASK

    def tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.frombuffer(text.encode("utf-16-le"), dtype=np.uint16).astype(np.int32) for text in texts]

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        return one_hot([int(any(65 <= token <= 90 for token in row)) for row in rows]).astype(np.float32)


def test_what_a_perturbation_costs_is_counted():
    texts, labels = ("plain words here", "Named Persons", "more plain words", "more Names"), np.array([0, 1, 0, 1])
    found = robustness(Cased(), texts, labels)
    assert found["lower"] == {"quality": 0.5, "lost": 0.5, "changed": 0.5, "touched": 0.5}
    assert found["upper"] == {"quality": 0.5, "lost": 0.5, "changed": 0.5, "touched": 1.0}
    assert found["typos"]["quality"] == 1.0 and found["typos"]["lost"] == 0 and found["typos"]["touched"] == 1.0
