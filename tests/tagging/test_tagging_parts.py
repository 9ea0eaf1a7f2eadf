"""Words within what stands between two spaces, as the corpora of taggers write them."""

from __future__ import annotations

import pytest

from leanformer.tagging.parts import parts


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in parts(text, 0, len(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paris", "Paris"),
        ("(Paris),", "( Paris ) ,"),
        ("Germany's", "Germany 's"),
        ("don't", "do n't"),
        ("I'm", "I 'm"),
        ("he'd", "he 'd"),
        ("Sa'd", "Sa'd"),  # a name, since no pronoun stands before it
        ("l'Italie", "l' Italie"),
        ("Dell'arte", "Dell' arte"),
        ("D'Angelo", "D'Angelo"),
        ("O'Neill", "O'Neill"),
        ("Paris-based", "Paris-based"),
        ("Paris/London", "Paris / London"),
        ("km/h", "km/h"),
        ("9/11", "9/11"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("someone@example.org", "someone@example.org"),
        ("Europe/Germany's", "Europe / Germany 's"),
        ("'s", "'s"),
        ("l'", "l'"),
        ("...", ". . ."),
    ],
)
def test_words_are_parted_as_corpora_part_them(text: str, expected: str):
    assert words(text) == expected.split()


@pytest.mark.parametrize("text", ["(l'Italie's)/don't", "a/b/c/d", "''''", "x", "“L’Aquila”,"])
def test_every_character_is_in_one_word_wherever_the_text_stands(text: str):
    around = f"before {text} after"
    places = parts(around, 7, 7 + len(text))
    assert [start for start, _ in places] == [7, *(end for _, end in places[:-1])] and places[-1][1] == 7 + len(text)
    assert all(start < end for start, end in places)
    assert [around[start:end] for start, end in places] == words(text)
