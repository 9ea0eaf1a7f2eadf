"""Real data sets, where `$LEANFORMER_DATA` names a folder of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.data.dataset import open_dataset

pytestmark = pytest.mark.data


@pytest.mark.slow
def test_sst2(leanformer_data: Path) -> None:
    data = open_dataset(str(leanformer_data / "sst2"))
    assert data.task.labels == ("negative", "positive")
    assert [len(part) for part in (data.train, data.dev, data.test) if part] == [6920, 872, 1821]
    assert data.overlap["test_in_train"] == 2
    phrases = open_dataset(str(leanformer_data / "sst2"), splits={"train": "train_phrases"})
    assert phrases.train is not None
    assert len(phrases.train) == 67349


def test_banking77_has_no_dev_split(leanformer_data: Path) -> None:
    data = open_dataset(str(leanformer_data / "banking77"))
    assert len(data.task.labels) == 77
    assert data.dev_rows is not None
    assert len(data.dev_rows) == 1000
    assert data.overlap["dev_in_train"] == 0


def test_mrpc_pairs(leanformer_data: Path) -> None:
    data = open_dataset(str(leanformer_data / "mrpc"), kind="pair")
    assert data.train is not None
    assert data.train.pairs is not None
    assert len(data.task.labels) == 2


def test_other_languages_and_raw_text(leanformer_data: Path) -> None:
    data = open_dataset(str(leanformer_data / "afrisenti" / "hau"))
    assert data.task.labels == ("negative", "neutral", "positive")
    data = open_dataset(str(leanformer_data / "rawtext_en" / "inaugural.txt"))
    assert data.train is None
    assert data.unlabelled is not None


@pytest.mark.slow
def test_kinds_are_told_from_the_data(leanformer_data: Path) -> None:
    kinds = {
        "mrpc": "pair",
        "stsb": "similarity",
        "sst2": "classification",
        "stsb_multi/de": "similarity",
        "wic": "pair",
    }
    for name, kind in kinds.items():
        assert open_dataset(str(leanformer_data / name)).task.kind == kind, name
    data = open_dataset(str(leanformer_data / "stsb"))
    assert [len(part) for part in (data.train, data.dev, data.test) if part] == [5749, 1500, 1379]
    assert data.train is not None
    assert (data.train.targets.min(), data.train.targets.max()) == (0, 5)
    # As the card of the data counts them, by both texts.
    assert data.overlap == {"dev_in_train": 6, "test_in_train": 7, "test_in_dev": 3}
    mrpc = open_dataset(str(leanformer_data / "mrpc"))
    assert mrpc.task.labels == ("equivalent", "not_equivalent")
    assert not any(mrpc.overlap.values())


@pytest.mark.slow
def test_wikiann_in_all_its_languages(leanformer_data: Path) -> None:
    data = open_dataset(str(leanformer_data / "wikiann"), kind="tokens")
    assert data.task.labels == ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
    assert data.test is not None and data.test.languages is not None
    german = data.test.select(i for i, language in enumerate(data.test.languages) if language == "de")
    begun = [data.task.labels[tag] for target in german.targets for tag in target if tag % 2]
    # As many mentions of each type as the data set's own manifest counts.
    assert len(german) == 10000
    assert {name: begun.count(f"B-{name}") for name in ("LOC", "ORG", "PER")} == {"LOC": 4961, "ORG": 4157, "PER": 4750}
    assert len(set(data.test.languages)) == 13


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "languages"), [("masakhaner2", 20), ("uner", 20), ("wikineural", 9), ("ner_transfer", 11)]
)
def test_other_taggings(leanformer_data: Path, name: str, languages: int) -> None:
    data = open_dataset(str(leanformer_data / name), kind="tokens")
    found = {
        language
        for part in (data.train, data.dev, data.test)
        if part is not None and part.languages is not None
        for language in part.languages
    }
    assert len(found) == languages and data.task.labels[0] == "O"


def test_questions_with_candidates(leanformer_data: Path) -> None:
    for name, rows, candidates in (("copa", 400, 2), ("commonsenseqa", 6000, 5), ("openbookqa", 4957, 4)):
        data = open_dataset(str(leanformer_data / name))
        assert data.task.kind == "choice" and data.train is not None, name
        assert len(data.train) == rows
        assert {len(choices) for _, choices in data.train.inputs} == {candidates}
        assert set(data.train.targets) == set(range(candidates))
    copa = open_dataset(str(leanformer_data / "copa")).train
    assert copa is not None
    assert copa.inputs[0] == (
        "My body cast a shadow over the grass. cause", ("The sun was rising.", "The grass was cut.")
    )  # fmt: skip
    languages = [
        open_dataset(str(folder)).dev for folder in sorted((leanformer_data / "xcopa").iterdir()) if folder.is_dir()
    ]
    assert len(languages) == 11 and all(dev is not None and dev.task.kind == "choice" for dev in languages)
