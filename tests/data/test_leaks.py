"""Leaks between splits: counted on data made by hand, and on the data sets of README."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.leaks import find_leaks
from leanformer.task import Task

TASK = Task("classification", ("a", "b"))


def examples(*texts: str) -> Examples:
    return Examples(TASK, texts, tuple(i % 2 for i in range(len(texts))))


DATA = Dataset(
    TASK,
    train=examples("The film was good", "a long and rather boring film about trains", "same"),
    dev=examples("only in dev of all texts", "SAME", "other"),
    test=examples(
        "the  FILM was good",
        "a long and rather boring film about train",
        "only in dev of all texts",
        "pool",
        "new text",
    ),
    unlabelled=replace(examples("pool"), labels=None),
)


def test_what_differs_in_case_and_space_alone_is_the_same() -> None:
    found = find_leaks(DATA, "test")
    assert found is not None and found.near is not None
    assert found.exact.tolist() == [True, False, False, True, False]
    assert found.near.tolist() == [True, True, False, True, False]
    assert found.to_json() == {"n": 5, "exact": 2, "near": 3, "compared": ["train", "unlabelled"]}


def test_dev_counts_where_it_was_taken_out_of_train() -> None:
    """A model that came from elsewhere was trained on the whole file."""
    found = find_leaks(replace(DATA, dev_rows=(1, 2, 3)), "test")
    assert found is not None
    assert found.to_json() == {"n": 5, "exact": 3, "near": 4, "compared": ["train", "unlabelled", "dev"]}


def test_dev_has_leaks_of_its_own() -> None:
    for data in (DATA, replace(DATA, dev_rows=(1, 2, 3))):
        found = find_leaks(data, "dev")
        assert found is not None and found.exact.tolist() == [False, True, False]
        assert found.compared == ("train", "unlabelled")


def test_nothing_is_known_without_training_texts() -> None:
    assert find_leaks(replace(DATA, train=None, unlabelled=None), "test") is None
    assert find_leaks(replace(DATA, test=None), "test") is None
    found = find_leaks(replace(DATA, train=None), "test")
    assert found is not None and found.to_json() == {"n": 5, "exact": 1, "near": 1, "compared": ["unlabelled"]}


def test_near_repeats_are_not_looked_for_in_too_much_text() -> None:
    distinct = {text.lower() for text in (*DATA.train.texts, "pool")}  # type: ignore[union-attr]
    letters = sum(map(len, distinct)) + len("the film was good") + sum(map(len, DATA.test.texts[1:]))  # type: ignore[union-attr]
    for limit, near in ((letters, 3), (letters - 1, None)):
        found = find_leaks(DATA, "test", near_letters=limit)
        assert found is not None and found.to_json()["near"] == near and found.exact.sum() == 2


def test_pairs_are_the_same_by_both_texts() -> None:
    task = Task("pair", ("no", "yes"))

    def pairs(*given: tuple[str, str]) -> Examples:
        return Examples(task, tuple(a for a, _ in given), (0,) * len(given), pairs=tuple(b for _, b in given))

    train = pairs(("a first sentence", "a second sentence"), ("third", "fourth"))
    test = pairs(
        ("A first sentence", "a second  sentence"), ("a first sentence", "another"), ("a second sentence", "third"),
        ("fourth", "third"), ("a first sentence", "a second sentences"),
    )  # fmt: skip
    found = find_leaks(Dataset(task, train=train, test=test), "test")
    assert found is not None and found.near is not None
    assert found.exact.tolist() == [True, False, False, False, False]
    assert found.near.tolist() == [True, False, False, False, True]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "options", "n", "exact", "near"),
    [
        ("trec", {}, 500, 11, 12),
        ("snips", {}, 700, 26, 35),
        ("banking77", {}, 3080, 7, 103),
        ("mrpc", {}, 1725, 0, 87),
        ("sst2", {}, 1821, 2, 2),
        pytest.param("sst2", {"splits": {"train": "train_phrases"}}, 1821, 1, 1, marks=pytest.mark.slow),
        ("stsb", {}, 1379, 7, 23),
        ("afrisenti/hau", {}, 600, 0, 1),
    ],
)
def test_the_data_sets_of_the_ladders_leak(
    name: str, options: dict[str, Any], n: int, exact: int, near: int, leanformer_data: Path
) -> None:
    found = find_leaks(open_dataset(str(leanformer_data / name), **options), "test")
    assert found is not None
    counts = found.to_json()
    assert (counts["n"], counts["exact"], counts["near"]) == (n, exact, near)
