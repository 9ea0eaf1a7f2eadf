"""Examples and Dataset: validation, selection, hashes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples, sampled
from leanformer.task import Task

TASK = Task("classification", ("no", "yes"))
EXAMPLES = Examples(TASK, ("one", "two", "three"), (0, 1, 1), source="a.jsonl")


def test_lengths_and_labels_are_validated() -> None:
    with pytest.raises(ValueError, match="2 labels for 1 texts"):
        Examples(TASK, ("one",), (0, 1))
    with pytest.raises(ValueError, match="label 2 is not an index into the 2 label names"):
        Examples(TASK, ("one",), (2,))
    with pytest.raises(ValueError, match="label -1"):
        Examples(TASK, ("one",), (-1,))
    with pytest.raises(ValueError, match="1 second texts for 2 texts"):
        Examples(Task("pair", ()), ("one", "two"), None, ("three",))
    with pytest.raises(ValueError, match="need second texts"):
        Examples(Task("pair", ()), ("one",), None)


def test_select_keeps_order_and_everything_else() -> None:
    chosen = EXAMPLES.select([2, 0])
    assert (chosen.texts, chosen.labels, chosen.source) == (("three", "one"), (1, 0), "a.jsonl")
    assert len(chosen) == 2
    assert chosen.is_labelled
    pairs = Examples(Task("pair", ()), ("a", "b"), None, ("c", "d")).select(iter([1]))
    assert pairs.pairs == ("d",)
    assert not pairs.is_labelled
    with pytest.raises(IndexError):
        EXAMPLES.select([3])


def test_a_sample_is_drawn_by_the_seed_and_stays_in_order() -> None:
    """The first rows of a file that is sorted by class would all be of one."""
    many = Examples(TASK, tuple(f"{row:03}" for row in range(100)), (0,) * 50 + (1,) * 50)
    found = sampled(many, 20, 13)
    assert len(found) == len(set(found)) == 20 and list(found) == sorted(found)
    assert 4 <= sum(text < "050" for text in found) <= 16
    assert sampled(many, 20, 13) == found != sampled(many, 20, 14)
    assert sampled(many, 100, 13) == many.inputs


def test_content_hash_covers_content_and_not_the_source() -> None:
    assert EXAMPLES.content_hash == replace(EXAMPLES, source="b.jsonl").content_hash
    others = [
        replace(EXAMPLES, texts=("one", "two", "four")),
        replace(EXAMPLES, labels=(0, 1, 0)),
        replace(EXAMPLES, labels=None),
        replace(EXAMPLES, pairs=("x", "y", "z")),
        replace(EXAMPLES, task=Task("classification", ("yes", "no"))),
    ]
    assert len({other.content_hash for other in [EXAMPLES, *others]}) == 6


def test_training_hash_ignores_test_alone() -> None:
    data = Dataset(TASK, train=EXAMPLES, dev=EXAMPLES.select([0]), test=EXAMPLES.select([1]))
    other_test = replace(data, test=EXAMPLES.select([2]))
    assert data.training_hash == other_test.training_hash
    assert data.content_hash != other_test.content_hash
    for changed in ({"dev": EXAMPLES.select([1])}, {"train": EXAMPLES.select([1])}, {"unlabelled": EXAMPLES}):
        assert data.training_hash != replace(data, **changed).training_hash  # type: ignore[arg-type]


def test_dataset_refuses_unlabelled_train_and_another_task() -> None:
    with pytest.raises(ValueError, match="train examples have no labels"):
        Dataset(TASK, train=replace(EXAMPLES, labels=None))
    with pytest.raises(ValueError, match="dev examples are of another task"):
        Dataset(Task("classification", ("a", "b")), dev=EXAMPLES)


def test_the_right_candidate_is_one_of_the_question_s_own() -> None:
    task, pairs = Task("choice", ()), (("a", "b"), ("c", "d", "e"))
    assert Examples(task, ("q", "r"), (1, 2), pairs).targets.tolist() == [1, 2]
    with pytest.raises(ValueError, match="label 2 is not the number, from 0, of one of 2 candidates"):
        Examples(task, ("q", "r"), (2, 2), pairs)


def test_lines_go_with_their_rows_and_are_no_content() -> None:
    known = replace(EXAMPLES, lines=(2, 3, 7))
    assert known.select([2, 0]).lines == (7, 2) and known.for_task(TASK).lines == (2, 3, 7)
    assert known == EXAMPLES and known.content_hash == EXAMPLES.content_hash
    with pytest.raises(ValueError, match="1 lines for 3 texts"):
        replace(EXAMPLES, lines=(1,))
