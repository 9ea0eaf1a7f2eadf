"""Words of a text and their places in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanformer.tagging.words import as_sentence, join_words, split_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("John lives in Berlin.", ["John", "lives", "in", "Berlin", "."]),
        ('  "Hi!"\tshe  said ', ['"', "Hi", "!", '"', "she", "said"]),
        ("3.14 e-mail l'Iran U.S.", ["3.14", "e-mail", "l'Iran", "U.S", "."]),
        ("...", [".", ".", "."]),
        ("東京はJapan、", ["東", "京", "は", "Japan", "、"]),
        ("ñandú नमस्ते", ["ñandú", "नमस्ते"]),
        ("a\u00a0b", ["a", "b"]),
        ("", []),
    ],
)
def test_the_rule(text: str, words: list[str]) -> None:
    assert list(as_sentence(text).words) == words


@given(st.text())
def test_places_are_in_order_and_hold_all_but_white_space(text: str) -> None:
    end = 0
    for start, stop in split_words(text):
        assert start < stop and not text[end:start].strip()
        assert not any(letter.isspace() for letter in text[start:stop])
        end = stop
    assert not text[end:].strip()


@given(st.lists(st.text()))
def test_joined_words_come_apart_as_they_were(words: list[str]) -> None:
    apart = words_of(join_words(words))
    if words not in ([], [""]):  # an empty string is a sentence without words
        assert apart == [word.replace(" ", "\u00a0") for word in words]
    sentence = as_sentence(words)
    assert list(sentence.words) == words
