"""`compress.linear`: from labels or from the teacher, whichever is better on dev."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.compress.ngrams import linear as module
from leanformer.compress.ngrams.linear import LinearStudent
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError, LeanformerError, RecipeError
from leanformer.linear.fit import Taught
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.task import Task
from tests.making.graphs import make_context
from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset, tiny_kind_dataset

QUICK = {"learn_from": "labels"}
BAD = ({"learn_from": "books"}, {"temperature": 0}, {"use_unlabelled": "maybe"})
DEFAULTS = "1 f851a3dd59c2"


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")


def make(folder: Path, teacher: Artifact, data: Dataset | None = None, **options: Any) -> Artifact:
    context = make_context(folder, teacher, data=replace(data or tiny_dataset(), test=None))
    return LinearStudent(**options)(teacher, context, folder / "student")


def right_answers(data: Dataset) -> Any:
    """A teacher that knows the labels of train and of what is unlabelled."""

    def taught(context: Any, *, use_unlabelled: bool, temperature: float) -> Taught:
        assert context.data.test is None and temperature > 0
        parts = [data.train, *([data.unlabelled] if use_unlabelled else [])]
        inputs = [text for part in parts if part is not None for text in part.inputs]
        labels = [i % len(LABELS) for part in parts if part is not None for i in range(len(part))]
        return Taught(inputs, np.eye(len(LABELS))[labels] * 0.9 + 0.1 / len(LABELS))

    return taught


def test_few_labels_and_a_good_teacher(teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Unlabelled texts with right answers teach more than three labels, and dev shows it."""
    whole = tiny_dataset()
    assert whole.train is not None and whole.test is not None
    few = replace(whole, train=whole.train.select(range(3)))
    monkeypatch.setattr(module, "taught_by", right_answers(few))
    scores = {}
    for source in ("labels", "teacher", "either"):
        made = make(tmp_path / source, teacher, few, learn_from=source)
        values = logits(open_predictor(made, threads=1), whole.test.inputs)
        scores[source] = (values.argmax(axis=1) == whole.test.targets).mean()
        choice = made.history[-1]["choice"]
        assert choice["learnt_from"] == ("labels" if source == "labels" else "teacher")
        assert set(choice["dev_quality"]) == ({"labels", "teacher"} if source == "either" else {source})
    assert scores["either"] == scores["teacher"] > scores["labels"] + 0.1


def test_a_bad_teacher_is_not_followed(teacher: Artifact, tmp_path: Path):
    """The tiny teacher answers at random."""
    made = make(tmp_path, teacher)
    choice = made.history[-1]["choice"]
    assert choice["learnt_from"] == "labels" and choice["dev_quality"]["labels"] > choice["dev_quality"]["teacher"]
    assert (made.task, made.max_tokens, made.format) == (teacher.task, teacher.max_tokens, "ngrams")


def test_without_labels_the_teacher_is_followed(teacher: Artifact, tmp_path: Path):
    data = replace(tiny_dataset(), train=None)
    assert data.dev is not None
    values = logits(open_predictor(teacher, threads=1), data.dev.inputs)
    labels = tuple(int(number) for number in values.argmax(axis=1))
    made = make(tmp_path, teacher, replace(data, dev=replace(data.dev, labels=labels)))
    assert made.history[-1]["choice"]["learnt_from"] == "teacher"
    with pytest.raises(DataError, match=r"no labelled training texts\n  remedy: add train.jsonl, or learn_from"):
        make(tmp_path / "b", teacher, data, learn_from="labels")


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_any_labels_and_scores_are_learnt_from_the_data(kind: str, tmp_path: Path):
    data = tiny_kind_dataset(kind)
    outputs = tiny_artifact(tmp_path / "any", labels=LABELS)
    teacher = replace(outputs, task=data.task)
    made = make(tmp_path, teacher, data)
    assert data.test is not None and made.task.kind == kind
    assert made.history[-1]["choice"]["learnt_from"] == "labels"
    answers = open_predictor(made, threads=1).predict(data.test.inputs[:3])
    assert len(answers) == 3 and (made.task.scale is not None) == (kind == "regression")


def test_without_anything_to_learn_from_the_remedy_works(teacher: Artifact, tmp_path: Path):
    bare = replace(tiny_dataset(), train=None, unlabelled=None)
    for source in ("either", "teacher"):
        with pytest.raises(DataError, match=r"no texts to train on\n  remedy: add train\.jsonl"):
            make(tmp_path / source, teacher, bare, learn_from=source)
    data = tiny_kind_dataset("multilabel")
    several = replace(teacher, task=data.task)
    with pytest.raises(RecipeError, match=r"of kind 'multilabel'\n  remedy: learn_from: labels"):
        make(tmp_path / "several", several, data, learn_from="teacher")
    assert make(tmp_path / "labels", several, data, learn_from="labels").task.kind == "multilabel"


@pytest.mark.parametrize("task", [Task("pair", LABELS), Task("tokens", ("O", "B-X", "I-X"))])
def test_other_tasks_are_refused(task: Task, teacher: Artifact, tmp_path: Path):
    with pytest.raises(LeanformerError, match=f"of kind '{task.kind}'\n  remedy: fine-tune an encoder"):
        make(tmp_path, replace(teacher, task=task))


def test_options_are_checked():
    with pytest.raises(RecipeError, match="temperature must be above 0"):
        LinearStudent(temperature=0)
