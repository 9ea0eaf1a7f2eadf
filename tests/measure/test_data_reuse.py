"""Data that a model was chosen with is known again by its hashes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach
from leanformer.ladder.ladder import describe
from leanformer.measure.data_reuse import earlier_use
from tests.making.tiny import TASK, tiny_artifact, tiny_dataset


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
    artifact = with_report(folder, describe(data, {}))
    assert "dev split" in str(earlier_use(artifact, data, "dev").forbids)
    use = earlier_use(artifact, data, "test")
    assert use.forbids is None and "no record of single texts" in use.warnings[0] and "test split" in use.warnings[1]


@pytest.mark.parametrize("split", ["dev", "train"])
def test_a_split_under_another_name_is_still_known(split: str, folder: Path):
    data = tiny_dataset()
    use = earlier_use(with_report(folder, describe(data, {})), alone(data, split), "test")
    assert split in str(use.forbids)


def test_labels_in_another_order_do_not_hide_it(folder: Path):
    data = tiny_dataset()
    artifact = with_report(folder, describe(data, {}))
    assert data.dev is not None and data.dev.labels is not None
    task = replace(TASK, labels=tuple(reversed(TASK.labels)))
    turned = Examples(task, data.dev.texts, tuple(2 - i for i in data.dev.labels))
    assert earlier_use(artifact, Dataset(task=task, test=turned), "test").forbids


def test_an_old_report_without_split_hashes_still_tells(folder: Path):
    data = tiny_dataset()
    old = {key: value for key, value in describe(data, {}).items() if key != "splits"}
    artifact = with_report(folder, old)
    assert earlier_use(artifact, data, "dev").forbids
    assert earlier_use(artifact, data, "test").warnings


def test_fresh_texts_are_free(folder: Path):
    data = tiny_dataset()
    artifact = with_report(folder, describe(data, {}))
    assert data.test is not None
    fresh = Dataset(
        task=TASK, test=Examples(TASK, tuple(f"{text} again" for text in data.test.texts), data.test.labels)
    )
    use = earlier_use(artifact, fresh, "test")
    assert use.forbids is None and len(use.warnings) == 1 and "no record of single texts" in use.warnings[0]


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


def texts_as_test(*texts: str) -> Dataset:
    return Dataset(task=TASK, test=Examples(TASK, texts, (0,) * len(texts)))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A model with a record of the tiny data set."""
    artifact = tiny_artifact(tmp_path_factory.mktemp("known") / "model")
    data = tiny_dataset()
    return attach(artifact, data.used_texts | UsedTexts.of(test=data.test))


def test_single_texts_are_known_again_and_counted_by_role(known: Artifact):
    data = tiny_dataset()
    assert data.train and data.dev and data.unlabelled
    texts = [f"quite new {number}" for number in range(50)]
    mixed = [data.train.texts[3].upper(), texts[0], f"  {data.dev.texts[0]}", data.unlabelled.texts[5], *texts[1:]]
    use = earlier_use(known, texts_as_test(*mixed), "test")
    assert use.used == {0: "train", 2: "dev", 3: "unlabelled"} and use.forbids is None and use.warnings == ()
    assert str(use) == "3 of 53 texts were used before: 1 in training, 1 without labels, 1 to choose"
    assert use.fresh == [1, *range(4, 53)] and use.share == pytest.approx(300 / 53)
    assert use.to_json()["used"] == {"train": 1, "unlabelled": 1, "dev": 1} and use.to_json()["judged"] == 50


def test_new_texts_are_told_with_what_cannot_be_known(known: Artifact):
    use = earlier_use(known, texts_as_test("a text", "another one"), "test")
    assert (use.used, use.repeats, use.warnings, use.share) == ({}, (), (), 0)
    assert "none of the 2 texts" in str(use) and "edited, cut or paraphrased" in str(use)


def test_a_text_that_was_reported_is_warned_of_and_not_left_out(known: Artifact):
    data = tiny_dataset()
    assert data.test is not None
    use = earlier_use(known, texts_as_test(*data.test.texts[:7], "quite new"), "test")
    assert use.reported == 7 and use.used == {} and use.fresh == list(range(8))
    assert "7 of 8 texts are in the test split" in use.warnings[0]


def test_texts_that_calibrated_a_model_are_left_out(tmp_path: Path):
    calibrated = UsedTexts.of(calibration=Examples(TASK, ("one", "two"), None))
    artifact = attach(tiny_artifact(tmp_path / "model"), calibrated)
    use = earlier_use(artifact, texts_as_test("one", "a new one", "two"), "test")
    assert use.used == {0: "calibration", 2: "calibration"} and use.fresh == [1] and use.reported == 0
    assert str(use) == "2 of 3 texts were used before: 2 to calibrate"


def test_repeated_rows_count_once(known: Artifact):
    use = earlier_use(known, texts_as_test("one text", "two texts", "One  text", "one text"), "test")
    assert use.repeats == (2, 3) and use.fresh == [0, 1]


def test_what_the_other_model_used_counts_as_well(known: Artifact, tmp_path: Path):
    data = tiny_dataset()
    other = attach(tiny_artifact(tmp_path / "other", seed=2), UsedTexts())
    assert earlier_use(other, data, "dev").used == {}
    assert len(earlier_use(other, data, "dev", known).used) == 40


def test_a_record_that_is_gone_or_damaged_forbids(tmp_path: Path):
    data = tiny_dataset()
    artifact = attach(tiny_artifact(tmp_path / "model"), data.used_texts)
    path = artifact.path / "used_texts.bin"
    path.write_bytes(path.read_bytes()[:-8])
    assert "cannot be told" in str(earlier_use(artifact, texts_as_test("new"), "test").forbids)
    path.unlink()
    assert "is missing" in str(earlier_use(artifact, texts_as_test("new"), "test").forbids)


def test_a_model_of_unknown_making_is_told_and_its_whole_splits_are_known(tmp_path: Path):
    data = tiny_dataset()
    made = [{"step": "train.fine_tune", "options": {}, "parent": None, "data": {"training_hash": data.training_hash}}]
    artifact = attach(tiny_artifact(tmp_path / "model", history=made), UsedTexts(unknown=("some-model",)))
    assert "what some-model was trained with" in earlier_use(artifact, data, "test").warnings[0]
    assert "dev split" in str(earlier_use(artifact, data, "dev").forbids)


def test_a_record_that_cannot_be_read_has_its_own_remedy(tmp_path: Path):
    data = tiny_dataset()
    artifact = attach(tiny_artifact(tmp_path / "model"), data.used_texts)
    assert earlier_use(artifact, texts_as_test("new"), "test").unreadable is None
    (artifact.path / "used_texts.bin").unlink()
    use = earlier_use(artifact, texts_as_test("new"), "test")
    assert use.unreadable is not None and use.unreadable.splitlines()[0] == use.forbids
    assert use.unreadable.splitlines()[1].startswith("  remedy: copy the artifact again")
