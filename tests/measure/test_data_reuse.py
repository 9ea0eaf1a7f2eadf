"""Data that a model was chosen with is known again by its hashes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.ladder.ladder import describe
from leanformer.measure.data_reuse import earlier_use
from tests.tiny import TASK, tiny_artifact, tiny_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_artifact(tmp_path_factory.mktemp("used") / "model").path


def with_report(folder: Path, data: dict[str, object]) -> Artifact:
    (folder / "report.json").write_text(json.dumps({"data": data}))
    return open_artifact(folder)


def alone(data: Dataset, split: str) -> Dataset:
    """One split as a data set of its own, as test: what a user does who names the file."""
    return Dataset(task=data.task, test=getattr(data, split), name="file")


def test_dev_is_refused_and_test_is_warned_of(folder: Path):
    data = tiny_dataset()
    artifact = with_report(folder, describe(data))
    assert "dev split" in str(earlier_use(artifact, data, "dev").forbids)
    use = earlier_use(artifact, data, "test")
    assert use.forbids is None and "test split" in use.warnings[0]


@pytest.mark.parametrize("split", ["dev", "train"])
def test_a_split_under_another_name_is_still_known(split: str, folder: Path):
    data = tiny_dataset()
    use = earlier_use(with_report(folder, describe(data)), alone(data, split), "test")
    assert split in str(use.forbids)


def test_labels_in_another_order_do_not_hide_it(folder: Path):
    data = tiny_dataset()
    artifact = with_report(folder, describe(data))
    assert data.dev is not None and data.dev.labels is not None
    task = replace(TASK, labels=tuple(reversed(TASK.labels)))
    turned = Examples(task, data.dev.texts, tuple(2 - i for i in data.dev.labels))
    assert earlier_use(artifact, Dataset(task=task, test=turned), "test").forbids


def test_an_old_report_without_split_hashes_still_tells(folder: Path):
    data = tiny_dataset()
    old = {key: value for key, value in describe(data).items() if key != "splits"}
    artifact = with_report(folder, old)
    assert earlier_use(artifact, data, "dev").forbids
    assert earlier_use(artifact, data, "test").warnings


def test_fresh_texts_are_free(folder: Path):
    data = tiny_dataset()
    artifact = with_report(folder, describe(data))
    assert data.test is not None
    fresh = Dataset(
        task=TASK, test=Examples(TASK, tuple(f"{text} again" for text in data.test.texts), data.test.labels)
    )
    use = earlier_use(artifact, fresh, "test")
    assert (use.forbids, use.warnings) == (None, ())


def test_the_history_alone_tells_of_training(tmp_path: Path):
    data = tiny_dataset()
    made = [{"step": "train.fine_tune", "options": {}, "parent": None, "data": {"training_hash": data.training_hash}}]
    artifact = tiny_artifact(tmp_path / "model", history=made)
    assert earlier_use(artifact, data, "dev").forbids
    assert earlier_use(artifact, data, "test").forbids is None


def test_nothing_recorded_is_said(tmp_path: Path):
    artifact = tiny_artifact(tmp_path / "model")
    assert "not recorded" in earlier_use(artifact, tiny_dataset(), "test").warnings[0]
    (artifact.path / "report.json").write_text("[broken")
    assert "not recorded" in earlier_use(artifact, tiny_dataset(), "test").warnings[0]
