"""Sentences as the models have them: one string, its words separated by single spaces.

So a sentence travels as any text does, and `words_of` gives its words back exactly. A space inside a word becomes a
no-break space. What a prediction refers to is the text as it was given, which `Sentence` keeps with each word's place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from leanformer.tagging.parts import parts

SEPARATOR, _INNER = " ", "\u00a0"
_CHUNK = re.compile(r"\S+")


@dataclass(frozen=True)
class Sentence:
    """A text and the places of its words.

    Attributes:
        text: as it was given; of a list of words these with single spaces between.
        places: first character and end (exclusive) of each word in `text`.
    """

    text: str
    places: tuple[tuple[int, int], ...]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text[start:end] for start, end in self.places)

    @property
    def joined(self) -> str:
        """The sentence as the models have it."""
        return join_words(self.words)


def join_words(words: Sequence[str]) -> str:
    """One string of words, from which `words_of` gives them back."""
    return SEPARATOR.join(word.replace(SEPARATOR, _INNER) for word in words)


def words_of(joined: str) -> list[str]:
    """The words of a sentence that `join_words` made; of an empty string none."""
    return joined.split(SEPARATOR) if joined else []


def as_sentence(text: str | Sequence[str]) -> Sentence:
    """A text, split by `split_words`, or a list of words, as a `Sentence`."""
    if isinstance(text, str):
        return Sentence(text, split_words(text))
    places, start = [], 0
    for word in text:
        places.append((start, start + len(word)))
        start += len(word) + 1
    return Sentence(SEPARATOR.join(text), tuple(places))


def split_words(text: str) -> tuple[tuple[int, int], ...]:
    """Where the words of a plain text are: first character and end (exclusive) of each.

    White space separates words, and what stands between comes apart as the corpora of taggers have it (see `parts`):
    marks at its ends, clitics ("anna's"), elided words ("l'Iran"), words with a slash between. Each Han, kana and
    bopomofo character is a word, as in the data sets. Scripts that separate words by nothing else (Thai) need a list
    of words.
    """
    places: list[tuple[int, int]] = []
    for match in _CHUNK.finditer(text):
        for start, end in [match.span()] if match[0].isalnum() else parts(text, *match.span()):
            begun = start
            for i in range(start, end):
                if _stands_alone(text[i]):
                    places += [(begun, i)] if begun < i else []
                    places.append((i, i + 1))
                    begun = i + 1
            places += [(begun, end)] if begun < end else []
    return tuple(places)


@lru_cache(maxsize=65536)
def _stands_alone(character: str) -> bool:
    return character > "\u2e7f" and unicodedata.name(character, "").startswith(
        ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "BOPOMOFO")
    )
