"""The best legal sequence, against all sequences there are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from leanformer.tagging.schemes import tag_names
from leanformer.tagging.viterbi import best_legal, decode, is_legal, legal_steps

LABELS = tag_names(["A", "B"])


def legal_by_the_book(tags: tuple[str, ...]) -> bool:
    """I-X comes right after B-X or I-X."""
    return all(
        not tag.startswith("I-") or (i > 0 and tags[i - 1] in (f"B-{tag[2:]}", tag)) for i, tag in enumerate(tags)
    )


def test_legal_is_what_the_definition_says() -> None:
    for length in (0, 1, 2, 3):
        for tags in product(range(len(LABELS)), repeat=length):
            said = is_legal(np.array(tags, dtype=np.int64), LABELS)
            assert said == legal_by_the_book(tuple(LABELS[i] for i in tags)), tags


@pytest.mark.parametrize("seed", range(6))
def test_no_legal_sequence_has_a_larger_sum(seed: int) -> None:
    generator = np.random.default_rng(seed)
    changed = 0
    for _ in range(40):
        values = generator.normal(size=(int(generator.integers(1, 6)), len(LABELS))).astype(np.float32)
        legal = [
            tags
            for tags in product(range(len(LABELS)), repeat=len(values))
            if legal_by_the_book(tuple(LABELS[i] for i in tags))
        ]
        sums = [float(values[np.arange(len(values)), list(tags)].astype(np.float64).sum()) for tags in legal]
        found = best_legal(values, LABELS)
        assert tuple(found.tolist()) == legal[int(np.argmax(sums))]
        changed += not np.array_equal(found, values.argmax(axis=1))
    assert changed > 5  # or the rule was never put to the test


def test_the_models_own_choice_stands_where_it_is_legal() -> None:
    values = np.eye(len(LABELS), dtype=np.float32)[[0, 1, 2, 0, 3, 4, 4]]
    assert best_legal(values, LABELS).tolist() == [0, 1, 2, 0, 3, 4, 4]


def test_sentences_of_no_words_and_of_one() -> None:
    only_inside = np.array([[0, 0, 9, 1, 0]], dtype=np.float32)
    found = decode([np.zeros((0, 5), np.float32), only_inside], LABELS)
    assert [tags.tolist() for tags in found] == [[], [3]]


def test_of_iob1_each_words_own_best_tag_stands() -> None:
    values = np.random.default_rng(2).normal(size=(400, len(LABELS))).astype(np.float32)
    own = values.argmax(axis=1)
    assert not is_legal(own, LABELS) and is_legal(own, LABELS, "IOB1")
    assert best_legal(values, LABELS, scheme="IOB1").tolist() == own.tolist() != best_legal(values, LABELS).tolist()
    assert decode([values, values[:3]], LABELS, scheme="IOB1")[0].tolist() == own.tolist()


def test_a_type_without_a_begin_may_begin_with_its_inside() -> None:
    first, follows = legal_steps(("O", "I-A"))
    assert first.all() and follows.all()
