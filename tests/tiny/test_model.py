"""Sums over n-grams in whole numbers, with numpy, against a count by hand."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from leanformer.linear import ngrams
from leanformer.tiny.model import COUNT_FACTORS, Group, LinearHead, NgramModel
from leanformer.tiny.rows import CharacterTokenizer
from tests.making.ngrams import ODD_TEXTS, random_group, random_model, random_texts

_MASK = 2**64 - 1


def hash_of(gram: str) -> int:
    """The upper half of the 64-bit hash, in Python's whole numbers."""
    value = sum((ord(letter) + 1) * pow(ngrams._BASE, place, 2**64) for place, letter in enumerate(gram)) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return (value ^ (value >> 31)) >> 32


def grams_of(text: str, group: Group) -> list[str]:
    words = re.findall(ngrams._WORD, text.lower())
    lengths = range(group.least, group.most + 1)
    if group.kind == "words":
        return [" ".join(words[i : i + n]) for n in lengths for i in range(len(words) - n + 1)]
    found = []
    for word in words:
        padded = f" {word} "
        found += [padded[i : i + n] for n in lengths for i in range(len(padded) - n + 1) if padded[i : i + n] != " "]
        # The blank between two words is counted once.
    return found


def by_hand(text: str, group: Group) -> tuple[list[int], int]:
    """The sum and the norm of a text."""
    total, norm = [0] * group.table.shape[1], 0
    if group.hashes is None:
        rows = [(hash_of(gram) % len(group.table), 1) for gram in grams_of(text, group)]
        norm = len(rows)
    else:
        assert group.idf is not None
        counts = Counter(hash_of(gram) for gram in grams_of(text, group))
        places = {int(value): place for place, value in enumerate(group.hashes)}
        rows = []
        for value, count in counts.items():
            if (place := places.get(value)) is not None:
                factor = int(COUNT_FACTORS[min(count, len(COUNT_FACTORS)) - 1])
                rows.append((place, (int(group.idf[place]) * factor) >> 8))
        norm = sum(value * value for _, value in rows)
    for place, value in rows:
        for column in range(len(total)):
            total[column] += value * int(group.table[place, column])
    return total, norm


def some_groups(texts: list[str]) -> list[Group]:
    every = [grams_of(text, random_group(kind, lengths, 1, seed=0)) for text in texts for kind, lengths in
             (("words", (1, 2)), ("characters", (2, 6)))]  # fmt: skip
    known = [hash_of(gram) for grams in every for gram in grams[::2]]
    return [
        random_group("words", (1, 2), 5, seed=1, known=known),
        random_group("characters", (2, 6), 5, seed=2, known=known, dtype=np.int16),
        random_group("characters", (1, 1), 5, seed=3, hashed=7),
        random_group("characters", (3, 4), 5, seed=4, hashed=1000),
        random_group("words", (2, 2), 5, seed=5, hashed=31),
    ]


def test_sums_and_norms_are_those_by_hand():
    texts = [*ODD_TEXTS, *random_texts(20, seed=1)]
    model = random_model(some_groups(texts))
    sums, norms = model.sums(CharacterTokenizer().encode(texts))
    assert np.abs(sums).max(axis=(0, 2)).min() > 0, "a group that adds nothing shows nothing"
    for row, text in enumerate(texts):
        for number, group in enumerate(model.groups):
            total, norm = by_hand(text, group)
            assert sums[row, number].tolist() == total and norms[row, number] == norm, (text, number)


def test_a_linear_head_divides_each_group_by_its_length():
    head = LinearHead(np.array([0.5, 2.0], np.float32), np.array([1.0, -1.0], np.float32))
    sums, norms = np.array([[[4, 8], [30, 60]], [[0, 0], [0, 0]]]), np.array([[16, 900], [0, 0]])
    assert head.logits(sums, norms).tolist() == [[2.0, 7.0], [1.0, -1.0]]


@pytest.mark.parametrize("count", [0, 1, 600])
def test_rows_are_taken_in_parts(count: int):
    texts = random_texts(count, seed=2)
    model = random_model([random_group("characters", (1, 3), 4, seed=1, hashed=50)])
    rows = CharacterTokenizer().encode(texts)
    found = model.logits(rows)
    assert found.shape == (count, 4) and found.dtype == np.float32
    assert np.array_equal(found, model.head.logits(*model.sums(rows)))
    assert count == 0 or np.array_equal(found[-1:], NgramModel(model.groups, model.head).logits(rows[-1:]))
