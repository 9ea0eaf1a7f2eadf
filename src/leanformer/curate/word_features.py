"""Each word of a sentence with its neighbours as a line of text, so that n-grams of words are features of a tagger."""

from __future__ import annotations

import re
from collections.abc import Sequence

from leanformer.tagging.words import words_of

_RUNS = ((re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\d+"), "9"))
_AROUND = ((-2, "pp"), (-1, "p"), (1, "n"), (2, "nn"))
_EDGE = "edge"


def word_lines(sentences: Sequence[str]) -> list[str]:
    """A line for each word of each sentence, end to end: the word, its ends, its shape, two words on either side.

    The features of Ratnaparkhi 1996 (A Maximum Entropy Model for Part-Of-Speech Tagging). A letter in front of each
    says which it is. Shapes tell capitals, because n-grams do not.
    """
    return [line for sentence in sentences for line in _lines(words_of(sentence))]


def _lines(words: Sequence[str]) -> list[str]:
    shapes = [_shape(word) for word in words]

    def around(place: int) -> list[str]:
        found = []
        for step, name in _AROUND:
            inside = 0 <= place + step < len(words)
            found.append(f"{name}0{words[place + step] if inside else _EDGE}")
            if abs(step) == 1:
                found.append(f"{name}1{shapes[place + step] if inside else _EDGE}")
        return found

    return [
        " ".join([
            f"w0{word}", f"s2{word[-2:]}", f"s3{word[-3:]}", f"b2{word[:2]}", f"b3{word[:3]}", f"w1{shapes[place]}",
            *around(place),
        ])
        for place, word in enumerate(words)
    ]  # fmt: skip


def _shape(word: str) -> str:
    """Kinds of letters: "u" for a capital that begins, "c" for other capitals, "a" for letters, "9" for digits."""
    capitals = ("u" if word[:1].isupper() else "") + ("c" if any(letter.isupper() for letter in word[1:]) else "")
    for run, mark in _RUNS:
        word = run.sub(mark, word)
    return capitals + "z" + word[:4]
