"""Answers that move with the way a model is run, and perturbations of every form of input and answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from leanformer.data.examples import Examples
from leanformer.errors import ArtifactError, LeanformerError
from leanformer.ladder.on_request import Further
from leanformer.measure.robustness import robustness, typos
from leanformer.measure.stability import Alone, OtherCompany, stability
from leanformer.predictor import Predictor
from leanformer.task import Task, Text
from tests.making.tiny import tiny_dataset

TEXTS = ("one", "three", "eleven", "a", "seventeen")
LABEL = Task("classification", ("odd", "even"))


class Fake:
    """Logits from the length of a text; `company` adds what stands beside it, as a model with a shared scale would."""

    def __init__(self, task: Task = LABEL, company: float = 0.0, shift: float = 0.0) -> None:
        self.task, self.company, self.shift = task, company, shift

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        return [np.arange(len("".join(text))) for text in texts]

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        lengths = np.array([len(row) for row in rows], np.float32)
        before = np.concatenate([[0], lengths[:-1]])
        first = lengths - 5 + self.company * before + self.shift
        columns = [first, -first, first + 1][: self.task.outputs]
        return np.stack(columns, axis=1).astype(np.float32)


def test_a_steady_model_is_found_steady():
    fake = Fake()
    found = stability(fake, {"alone": lambda: Alone(fake), "order": lambda: OtherCompany(fake)}, TEXTS)
    assert found["n"] == 5 and found["spread"] > 0
    assert all(way == {"changed": 0.0, "largest": 0.0, "identical": True} for way in found["ways"].values())


def test_company_that_changes_answers_is_counted():
    fake = Fake(company=1.0)
    found = stability(fake, {"alone": lambda: Alone(fake), "order": lambda: OtherCompany(fake)}, TEXTS)["ways"]
    # Alone nothing stands before a text: "three" is of length 5, at 0, and "a" after "eleven" has -4 and 2.
    reference, alone = fake.infer(fake.tokenize(TEXTS)), Fake().infer(fake.tokenize(TEXTS))
    assert found["alone"]["largest"] == np.abs(reference - alone).max() == 6
    assert found["alone"]["changed"] == np.mean(reference.argmax(1) != alone.argmax(1)) > 0
    assert not found["order"]["identical"]


def test_the_last_bits_are_no_other_answer():
    found = stability(Fake(), {"engine": lambda: Fake(shift=1e-6)}, ("four", "seventeen"))["ways"]["engine"]
    assert found["changed"] == 0 and 0 < found["largest"] < 1e-5 and not found["identical"]


@pytest.mark.parametrize(
    ("kind", "labels", "changed"), [("multilabel", ("a", "b", "c"), 0.2), ("regression", (), None)]
)
def test_other_kinds_of_answers(kind: str, labels: tuple[str, ...], changed: float | None):
    task = Task(kind, labels)
    # The lengths less 5 are -2, 0, 1, -4, 4: half a point more takes one label away from "three", and none from others.
    found = stability(Fake(task), {"other": lambda: Fake(task, shift=0.5)}, TEXTS)["ways"]["other"]
    assert found["changed"] == changed and found["largest"] == pytest.approx(0.5)


def refused() -> Predictor:
    raise ArtifactError("only int8\n  remedy: none")


def missing() -> Predictor:
    raise ImportError("no such engine")


@pytest.mark.parametrize(("way", "said"), [(refused, "only int8"), (missing, "no such engine")])
def test_what_cannot_be_run_is_said(way: Callable[[], Predictor], said: str):
    assert stability(Fake(), {"engine": way}, TEXTS)["ways"] == {"engine": {"unavailable": said}}


def test_an_error_of_the_model_is_no_missing_engine():
    def broken() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stability(Fake(), {"engine": broken}, TEXTS)


def test_both_texts_of_a_pair_are_perturbed():
    pair = ("something written", "another sentence")
    seen: list[Text] = []

    class Noting(Fake):
        def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
            seen.extend(texts)
            return super().tokenize(texts)

    found = robustness(Noting(Task("pair", ("odd", "even"))), [pair], np.array([0]))
    assert (typos(pair[0]), typos(pair[1])) in seen and ("SOMETHING WRITTEN", "ANOTHER SENTENCE") in seen
    assert found["upper"] == {"quality": 1.0, "lost": 0.0, "changed": 0.0, "touched": 1.0}


def test_scores_have_no_changed_answers():
    found = robustness(Fake(Task("regression", ())), TEXTS, np.array([3.0, 5, 6, 1, 9]))
    assert found["lower"]["changed"] is None and found["lower"]["quality"] == pytest.approx(1)


def test_slices_are_for_answers_of_one_label():
    test = tiny_dataset().test
    assert test is not None
    with pytest.raises(LeanformerError, match="one label"):
        Further(slices=("x",)).prepare(Examples(task=Task("regression", ()), texts=("a",), labels=(0.5,)), 1)
    assert Further(slices=("length", "class")).prepare(test, 1) == {"slices": {}}, "both are in every report"
