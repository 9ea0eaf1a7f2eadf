"""Planted wrong labels of every form are found, with what the label should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leanformer.answers.labels_check import Label
from leanformer.curate.curation import find
from leanformer.curate.findings import LabelCheck
from leanformer.curate.label_errors import LEAST_ROWS, can_check, label_errors
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import LeanformerError
from leanformer.task import Task
from tests.making.tagged import TASK as TAGGED
from tests.making.tagged import tagged_examples
from tests.making.tiny import TASK, tiny_kind_dataset, tiny_texts

NAMES = TASK.labels


def checked(train: Examples, **options: object) -> LabelCheck:
    data = Dataset(train.task, train=train)
    return label_errors(data, find(data).clusters, **options)  # type: ignore[arg-type]


def relabelled(train: Examples, wrong: dict[int, Label]) -> Examples:
    assert train.labels is not None
    return replace(train, labels=tuple(wrong.get(row, label) for row, label in enumerate(train.labels)))


def one_label(count: int = 300) -> Examples:
    texts, labels = tiny_texts(count, 5)
    return Examples(TASK, texts, labels, lines=tuple(range(2, count + 2)))


def test_a_wrong_label_is_found_with_its_line_and_the_right_one() -> None:
    train = one_label()
    assert train.labels is not None
    wrong = {row: (int(train.labels[row]) + 1) % 3 for row in range(0, 300, 20)}
    found = checked(relabelled(train, wrong))
    rows = [suspect.place.row for suspect in found.suspects]
    assert len(set(rows) & set(wrong)) >= 13 and len(rows) <= len(wrong) + 2
    for suspect in found.suspects:
        row = suspect.place.row
        assert suspect.place.line == row + 2 and suspect.place.text == train.texts[row]
        if row in wrong:
            assert (suspect.given, suspect.suggested) == (NAMES[int(wrong[row])], NAMES[int(train.labels[row])])
    scores = [suspect.self_confidence for suspect in found.suspects]
    assert (
        scores == sorted(scores)
        and max(suspect.margin for suspect in found.suspects) < 0
        and found.checked == 300
        and found.rows == len(rows)
    )
    assert found.data == relabelled(train, wrong).content_hash and found.features == "n-grams"


def test_clean_labels_are_left_alone() -> None:
    assert len(checked(one_label()).suspects) <= 2


def test_a_duplicate_with_the_same_wrong_label_does_not_vouch_for_it() -> None:
    train = one_label()
    assert train.labels is not None
    copies, wrong = range(0, 60, 6), {row: (int(train.labels[row]) + 1) % 3 for row in range(0, 60, 6)}
    noisy = relabelled(train, wrong)
    assert noisy.labels is not None
    doubled = Examples(
        TASK, noisy.texts + tuple(f"{noisy.texts[row]} " for row in copies),
        noisy.labels + tuple(noisy.labels[row] for row in copies),
    )  # fmt: skip
    alone = label_errors(Dataset(TASK, train=doubled), [])
    found, apart = (
        len({suspect.place.row for suspect in check.suspects} & {*wrong, *range(300, 310)})
        for check in (checked(doubled), alone)
    )
    assert found >= 15 > apart


def test_rare_labels_are_left_out_and_named() -> None:
    train = one_label()
    assert train.labels is not None
    task = Task("classification", (*NAMES, "rare"))
    few = replace(train, task=task, labels=(*(3,) * (LEAST_ROWS - 1), *train.labels[LEAST_ROWS - 1 :]))
    found = checked(few)
    assert found.rare == ("rare",) and found.checked == 301 - LEAST_ROWS
    assert all(suspect.given != "rare" for suspect in found.suspects)


def test_one_row_of_a_rare_label_does_not_make_others_suspect() -> None:
    train = one_label()
    assert train.labels is not None
    wrong: dict[int, Label] = {row: (int(train.labels[row]) + 1) % 3 for row in range(0, 300, 20)}
    noisy = relabelled(train, wrong)
    assert noisy.labels is not None
    more = replace(
        noisy, task=Task("classification", (*NAMES, "rare")), texts=(*noisy.texts, "seldom"), lines=None,
        labels=(*noisy.labels, 3),
    )  # fmt: skip
    assert abs(len(checked(more).suspects) - len(checked(noisy).suspects)) <= 2


def test_of_any_number_of_labels_each_is_looked_at() -> None:
    train = tiny_kind_dataset("multilabel", (400, 5, 5, 5)).train
    assert train is not None and train.labels is not None
    wrong: dict[int, Label] = {}
    for row in range(0, 400, 20):  # in turn one label too many, and one that is missing
        given = train.labels[row]
        assert isinstance(given, tuple)
        wrong[row] = given[1:] if row % 40 and given else tuple(sorted({*given, (row // 20) % 3}))
    wrong = {row: label for row, label in wrong.items() if label != train.labels[row]}
    found = checked(relabelled(train, wrong))
    right = {
        suspect.place.row: set(suspect.suggested) for suspect in found.suspects if suspect.place.row in wrong
    }  # fmt: skip
    assert len(right) >= 0.8 * len(wrong) >= 8 and found.checked == 3 * 400
    names = {row: {NAMES[number] for number in train.labels[row]} for row in right}  # type: ignore[union-attr]
    assert sum(right[row] == names[row] for row in right) >= 0.8 * len(right)
    assert len(found.suspects) <= len(wrong) + 8


def test_a_wrong_tag_is_found_by_its_word_and_sentences_stay_together() -> None:
    train = tagged_examples(300, 3)
    assert train.labels is not None
    wrong: dict[int, Label] = {}
    planted = set()
    for row in range(0, 300, 15):
        tags = list(train.labels[row])  # type: ignore[arg-type]
        word = next(place for place, tag in enumerate(tags) if tag)
        tags[word] = 1 + (tags[word] + 1) % 4  # the other type
        wrong[row] = tuple(tags)
        planted.add((row, word))
    found = checked(relabelled(train, wrong))
    places = [(suspect.place.row, suspect.word) for suspect in found.suspects]
    assert len(planted & set(places)) >= 0.9 * len(planted) and len(places) <= 2 * len(planted)
    rows = [row for row, _ in places]
    assert len(set(rows)) == sum(row != before for row, before in zip(rows, [-1, *rows], strict=False))
    first = next(suspect for suspect in found.suspects if (suspect.place.row, suspect.word) in planted)
    row, word = first.place.row, first.word
    assert word is not None
    assert first.suggested == TAGGED.labels[train.labels[row][word]] != first.given  # type: ignore[index]
    assert first.to_json()["form"] == train.texts[row].split()[word] and first.to_json()["word"] == word + 1


def test_vectors_take_the_place_of_n_grams() -> None:
    """Vectors that tell the label, of texts that do not."""
    generator = np.random.default_rng(1)
    true = generator.integers(0, 3, 200)
    labels = np.where(np.arange(200) % 20 == 0, (true + 1) % 3, true)
    vectors = (np.eye(3)[true] + generator.normal(0, 0.1, (200, 3))).astype(np.float32)
    train = Examples(TASK, tuple(f"text {row}" for row in range(200)), tuple(labels.tolist()))
    found = checked(train, vectors=vectors, features="encoder")
    assert {suspect.place.row for suspect in found.suspects} == set(range(0, 200, 20)) and found.features == "encoder"


def test_scores_have_no_names_to_check() -> None:
    train = tiny_kind_dataset("regression", (40, 5, 5, 5)).train
    assert train is not None and not can_check(train.task) and can_check(TASK)
    with pytest.raises(LeanformerError, match="'score' are not built"):
        label_errors(Dataset(train.task, train=train), [])
