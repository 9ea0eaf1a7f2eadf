"""n-grams as hashes, against a plain program that cuts strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from leanformer.linear.ngrams import CHARACTERS, WORDS, ngrams

TEXTS = [
    "Stop! The card's gone, STOP",
    "",
    "a",
    "कार्ड खो गया",
    "gone gone gone",
    " \n\t",
    "\ud800 odd",
    "銀行",
    "😀😀 ok",
]
MARKS = "!'(),-./:;?"


def words_of(text: str) -> list[str]:
    for mark in MARKS:
        text = text.replace(mark, f" {mark} ")
    return text.lower().split()


def expected(text: str) -> dict[str, Counter[str]]:
    words = words_of(text)
    padded = [f" {word} " for word in words]
    return {
        WORDS: Counter(" ".join(words[i : i + n]) for n in (1, 2) for i in range(len(words) - n + 1)),
        CHARACTERS: Counter(
            word[i : i + n] for n in (2, 3, 4, 5, 6) for word in padded for i in range(len(word) - n + 1)
        ),
    }


def profiles(texts: Sequence[Mapping[object, int]]) -> list[tuple[int, ...]]:
    """How often each n-gram occurs in each text, the n-grams in no order: what stays where names are unknown."""
    names = {name for text in texts for name in text}
    return sorted(tuple(text.get(name, 0) for text in texts) for name in names)


@pytest.mark.parametrize("kind", [WORDS, CHARACTERS])
def test_equal_strings_and_no_others_have_equal_hashes(kind: str):
    grams = ngrams(TEXTS)[kind]
    found = [Counter(grams.hashes[grams.owners == number].tolist()) for number in range(len(TEXTS))]
    assert profiles(found) == profiles([expected(text)[kind] for text in TEXTS])


@pytest.mark.parametrize("kind", [WORDS, CHARACTERS])
def test_hashes_do_not_depend_on_the_batch(kind: str):
    grams = ngrams(TEXTS)[kind]
    for number, text in enumerate(TEXTS):
        alone = ngrams([text])[kind]
        assert not alone.owners.any()
        assert sorted(alone.hashes.tolist()) == sorted(grams.hashes[grams.owners == number].tolist())


def test_hashes_of_different_strings_differ():
    strings = [f"w{number}" for number in range(20_000)]
    assert len(np.unique(ngrams([" ".join(strings)])[WORDS].hashes)) == 2 * 20_000 - 1


def test_no_texts_have_no_n_grams():
    assert all(len(grams.hashes) == 0 for grams in ngrams([]).values())
