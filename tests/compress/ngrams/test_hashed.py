"""`compress.hashed`: a small network on hashed n-grams, trained by the loop and written in whole numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.compress.ngrams import hashed as module
from leanformer.compress.ngrams.hashed import HashedStudent
from leanformer.data.dataset import Dataset
from leanformer.errors import DataError, RecipeError
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from tests.compress.ngrams.test_linear import right_answers
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset, tiny_kind_dataset

QUICK = {"learn_from": "labels", "rows": 64, "width": 4, "units": 8, "epochs": 1}
BAD = ({"learn_from": "books"}, {"rows": 0}, {"dropout": 1.0}, {"width": "wide"})
DEFAULTS = "1 3dd153e48fd3"
SMALL: dict[str, Any] = {"rows": 512, "width": 8, "units": 16, "epochs": 12, "batch_size": 16}


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")


def make(folder: Path, teacher: Artifact, data: Dataset | None = None, **options: Any) -> Artifact:
    context = make_context(folder, teacher, data=replace(data or tiny_dataset(), test=None))
    return HashedStudent(**(SMALL | options))(teacher, context, folder / "student")


def accuracy(made: Artifact) -> float:
    test = tiny_dataset().test
    assert test is not None
    values = logits(open_predictor(made, threads=1), test.inputs)
    return float((values.argmax(axis=1) == test.targets).mean())


def test_it_learns_the_labels(teacher: Artifact, tmp_path: Path):
    made = make(tmp_path, teacher)
    choice = made.history[-1]["choice"]
    assert choice["learnt_from"] == "labels", "the tiny teacher answers at random"
    assert accuracy(made) > 0.9 and made.format == "ngrams"
    assert (made.task, made.max_tokens) == (teacher.task, teacher.max_tokens)


def test_few_labels_and_a_good_teacher(teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = tiny_dataset()
    assert whole.train is not None
    few = replace(whole, train=whole.train.select(range(6)))
    monkeypatch.setattr(module, "taught_by", right_answers(few))
    made = make(tmp_path, teacher, few)
    assert made.history[-1]["choice"]["learnt_from"] == "teacher"
    assert accuracy(made) > accuracy(make(tmp_path / "b", teacher, few, learn_from="labels"))


def test_the_artifact_answers_as_the_network_did_on_dev(teacher: Artifact, tmp_path: Path):
    made, data = make(tmp_path, teacher, learn_from="labels"), tiny_dataset()
    assert data.dev is not None
    values = logits(open_predictor(made, threads=1), data.dev.inputs)
    figure = (values.argmax(axis=1) == data.dev.targets).mean()
    assert figure >= made.history[-1]["choice"]["dev_quality"]["labels"] - 0.05
    assert np.abs(values).max() > 1


def test_what_it_cannot_do(teacher: Artifact, tmp_path: Path):
    scores = tiny_kind_dataset("regression")
    with pytest.raises(RecipeError, match=r"of kind 'regression'\n  remedy: compress.linear"):
        make(tmp_path, replace(teacher, task=scores.task), scores)
    with pytest.raises(DataError, match="no dev split"):
        make(tmp_path, teacher, replace(tiny_dataset(), dev=None))
    with pytest.raises(DataError, match="no texts to train on"):
        make(tmp_path, teacher, replace(tiny_dataset(), train=None, unlabelled=None))
