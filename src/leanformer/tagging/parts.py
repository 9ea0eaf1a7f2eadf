"""The words in what stands between two spaces, written as the corpora that taggers are trained on write them.

The Penn Treebank, CoNLL-2003, the Universal Dependencies and WikiNEuRal agree on most of it: marks at either end are
words of their own, and so are an English clitic at the end ("Germany 's", "do n't") and a French or Italian elided word
at the beginning ("l' Italie", "dell' arte"). A slash between two words is a word; a hyphen stays inside ("Paris-based",
"Jean-Marie"), and so do units ("km/h"), dates ("9/11"), addresses, and names such as "O'Neill" and "D'Angelo".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

Place = tuple[int, int]

_APOSTROPHES = "'\u2019\u2018\u02bc\uff07`\u00b4"
# Written "'" below; what comes before "'d" and "'m" is named, for names end in them ("Sa'd").
_CLITICS = ("'s", "'re", "'ve", "'ll", "n't")
_CLITICS_OF = {
    "'m": ("i",),
    "'d": ("i", "you", "he", "she", "it", "we", "they", "who", "that", "there", "what", "how"),
}
_LONGEST_CLITIC = 3
# In Igbo, Kinyarwanda, Luganda, Bambara and Mossi m', n' and t' belong to their word, so they are not among these.
_ELIDED = frozenset(
    "l d c s qu jusqu lorsqu puisqu quoiqu un all dell nell dall sull coll quest quell anch".split()  # codespell:ignore
)
_LONGEST_ELIDED = max(map(len, _ELIDED))
# With a capital before another one these begin names: D'Angelo, Dell'Acqua, Dall'Ara.
_BEGIN_NAMES = frozenset({"d", "dell", "dall", "s"})
_VOWELS = frozenset("aeiouyhœæ")
# Between letters; a colon ("EU:n") and quotation marks (gershayim) belong to words of some languages.
_BETWEEN = frozenset("/,;|()[]{}\u2014\u2015\u2026")
_ADDRESS = re.compile(r"://|^www\.|\w@\w|\w\.[A-Za-z]{2,}/", re.IGNORECASE)


def parts(text: str, start: int, end: int) -> list[Place]:
    """The places of the words in `text[start:end]`, which has no white space: first character and end (exclusive).

    Every character is in exactly one. The time is linear in the length.
    """
    if _is_clitic(text, start, end) or _elided_end(text, start, end) == end:
        return [(start, end)]  # as in a text whose words were split before
    behind: list[Place] = []  # from the end on
    while end > start:
        if _is_mark(text[end - 1]):
            behind.append((end - 1, end))
            end -= 1
            if not _is_clitic(text, start, end):
                continue
            behind.append((start, end))
            end = start
        elif (begin := _clitic_begin(text, start, end)) is not None:
            behind.append((begin, end))
            end = begin
        else:
            break
    found: list[Place] = []
    while start < end:
        if _is_mark(text[start]):
            found.append((start, start + 1))
            start += 1
        elif (elided := _elided_end(text, start, end)) is not None:
            found.append((start, elided))
            start = elided
        else:
            break
    return found + _inside(text, start, end) + behind[::-1]


def _inside(text: str, start: int, end: int) -> list[Place]:
    """The words of what is left once both ends were looked at."""
    marks = [i for i in range(start + 1, end - 1) if text[i] in _BETWEEN]
    if not marks or _ADDRESS.search(text[start:end]):
        return [(start, end)] if start < end else []
    edges = [start - 1, *marks, end]
    cuts = [
        mark
        for before, mark, after in zip(edges[:-2], marks, edges[2:], strict=True)
        # One letter on a side is a unit or a short form: km/h, A/S, w/o, o(s.
        if mark - before > 2 and after - mark > 2 and _ends_word(text[mark - 1]) and text[mark + 1].isalpha()
    ]
    found: list[Place] = []
    for cut in cuts:
        found += [*parts(text, start, cut), (cut, cut + 1)]
        start = cut + 1
    # Without a cut it is one word; with some, each piece may have a clitic or an elided word of its own.
    return found + (parts(text, start, end) if cuts else [(start, end)])


def _ends_word(character: str) -> bool:
    return character.isalpha() or character == "."


def _clitic_begin(text: str, start: int, end: int) -> int | None:
    """Where the clitic begins that `text[start:end]` ends with, something before it; None where there is none."""
    tail = _plain(text[max(start, end - _LONGEST_CLITIC) : end])
    for clitic in _CLITICS:
        begin = end - len(clitic)
        if tail.endswith(clitic) and begin > start:
            return begin
    hosts = _CLITICS_OF.get(tail[-2:], ())
    return end - 2 if end - 2 - start <= 5 and text[start : end - 2].casefold() in hosts else None


def _is_clitic(text: str, start: int, end: int) -> bool:
    """Whether this is a clitic and nothing else."""
    if end - start > _LONGEST_CLITIC:
        return False
    whole = _plain(text[start:end])
    return whole in _CLITICS or whole in _CLITICS_OF


def _elided_end(text: str, start: int, end: int) -> int | None:
    """Behind the elided word that `text[start:end]` begins with; None where there is none."""
    for i in range(start + 1, min(end, start + _LONGEST_ELIDED + 1)):
        if text[i] in _APOSTROPHES:
            break
        if not text[i].isalpha():
            return None
    else:
        return None
    word = text[start:i]
    if word.casefold() not in _ELIDED:
        return None
    if i + 1 == end:
        return end
    follows = text[i + 1]
    if not follows.isalpha():
        return i + 1 if _is_mark(follows) else None
    if unicodedata.normalize("NFD", follows.lower())[0] not in _VOWELS:
        return None
    if word[0].isupper() and follows.isupper() and word.casefold() in _BEGIN_NAMES:
        return None
    return i + 1


def _plain(text: str) -> str:
    """In lower case, every apostrophe the same."""
    return "".join("'" if letter in _APOSTROPHES else letter for letter in text.lower())


@lru_cache(maxsize=65536)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
