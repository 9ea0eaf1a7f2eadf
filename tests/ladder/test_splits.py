"""The splits to choose and to report on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.ladder.splits import known_task, prepare
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.task import Task
from tests.making.tiny import LABELS, TASK, tiny_artifact, tiny_config, tiny_dataset, tiny_texts


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    # With this seed the random model gives all three labels.
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", seed=11)


def unlabelled(count: int) -> Dataset:
    task = Task("classification", ())
    return Dataset(task=task, name="bare", unlabelled=Examples(task, tiny_texts(count, seed=8)[0], None))


def test_labelled_data_in_the_same_order_is_left_as_it_is(teacher: Artifact):
    prepared = prepare(tiny_dataset(), teacher, seed=13, threads=1)
    assert prepared.metric == "accuracy"
    assert prepared.data.content_hash == tiny_dataset().content_hash


def test_labels_are_numbered_as_the_logits_are(tmp_path: Path):
    order = ("weather", "music", "sport")
    teacher = tiny_artifact(tmp_path / "teacher", labels=order)
    data = prepare(tiny_dataset(), teacher, seed=13, threads=1).data
    assert data.task.labels == order
    for split in ("train", "dev", "test"):
        before, after = getattr(tiny_dataset(), split), getattr(data, split)
        assert after.texts == before.texts
        assert [order[i] for i in after.labels] == [LABELS[i] for i in before.labels]
    assert data.unlabelled is not None
    assert data.unlabelled.task == teacher.task


def test_a_teacher_may_know_more_labels(tmp_path: Path):
    names = ("zoo", *reversed(LABELS), "art")
    teacher = tiny_artifact(tmp_path / "teacher", config=tiny_config(labels=5), labels=names)
    data = prepare(tiny_dataset(), teacher, seed=13, threads=1).data
    assert data.test is not None and data.test.labels is not None
    assert set(data.test.labels) == {1, 2, 3}


def test_foreign_labels_are_an_error(tmp_path: Path):
    teacher = tiny_artifact(tmp_path / "teacher", labels=("music", "sport", "politics"))
    with pytest.raises(DataError, match=r"weather.*are not the model's.*politics"):
        prepare(tiny_dataset(), teacher, seed=13, threads=1)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_dev_and_test_are_needed(split: str, teacher: Artifact):
    with pytest.raises(DataError, match=rf"(?s)no {split} split.*remedy: .*{split}\.jsonl"):
        prepare(replace(tiny_dataset(), **{split: None}), teacher, seed=13, threads=1)


def test_unlabelled_text_is_labelled_by_the_teacher(teacher: Artifact):
    data = unlabelled(100)
    prepared = prepare(data, teacher, seed=13, threads=1)
    parts = prepared.data
    assert prepared.metric == "agreement with the teacher"
    assert parts.train is None
    assert parts.dev is not None and parts.test is not None and parts.unlabelled is not None
    assert (len(parts.dev), len(parts.test), len(parts.unlabelled)) == (20, 20, 60)
    # Nothing is lost and nothing is in two places.
    assert data.unlabelled is not None
    together = sorted(parts.dev.texts + parts.test.texts + parts.unlabelled.texts)
    assert together == sorted(data.unlabelled.texts)
    expected = logits(TorchPredictor(teacher), parts.dev.texts).argmax(axis=1)
    assert list(parts.dev.labels or ()) == expected.tolist()
    assert len(set(expected.tolist())) > 1
    assert "20 texts each were set aside" in parts.notes[-1]
    assert prepare(data, teacher, seed=13, threads=1).data.content_hash == parts.content_hash
    assert prepare(data, teacher, seed=14, threads=1).data.content_hash != parts.content_hash


def test_too_few_texts_are_refused(teacher: Artifact):
    assert prepare(unlabelled(20), teacher, seed=13, threads=1).data.dev is not None
    with pytest.raises(DataError, match="at least 20"):
        prepare(unlabelled(19), teacher, seed=13, threads=1)
    with pytest.raises(DataError, match="at least 20"):
        prepare(Dataset(task=TASK), teacher, seed=13, threads=1)


def test_the_known_task_is_that_of_an_artifact(teacher: Artifact, tmp_path: Path):
    assert known_task(str(teacher.path)) == TASK
    assert known_task(str(tmp_path)) is None
