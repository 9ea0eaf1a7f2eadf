"""Word and character n-grams of texts as 64-bit hashes, computed for a whole batch of texts at once with numpy.

Texts are lower-cased. Words are runs of characters other than white space and punctuation, or single punctuation marks.
Character n-grams do not cross words, and a blank marks word boundaries (as in scikit-learn's `char_wb`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WORDS, CHARACTERS = "words", "characters"
KINDS = (WORDS, CHARACTERS)
WORD_LENGTHS = (1, 2)
CHARACTER_LENGTHS = (2, 3, 4, 5, 6)
# Not `\w`, which lacks combining marks: words of many scripts would be split.
_MARKS = r"!-/:-@\[-`{-~\u2010-\u2027\u2030-\u205e\u3000-\u303f"
_WORD = re.compile(rf"[^\s{_MARKS}]+|[{_MARKS}]")
# Base of a polynomial hash over code points modulo 2^64; it is odd, so it has an inverse.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)


@dataclass(frozen=True)
class Grams:
    """The n-grams of some texts, with repeats: `hashes` `[grams]`, uint64, and the text of each in `owners`."""

    hashes: np.ndarray
    owners: np.ndarray


def ngrams(texts: Sequence[str]) -> dict[str, Grams]:
    """The n-grams of each kind: words with one and two, characters with two to six."""
    lengths = {WORDS: WORD_LENGTHS, CHARACTERS: CHARACTER_LENGTHS}
    found = ngrams_of_lengths([text.lower() for text in texts], list(lengths.items()))
    return dict(zip(lengths, found, strict=True))


def ngrams_of_lengths(lowered: Sequence[str], asked: Sequence[tuple[str, Sequence[int]]]) -> list[Grams]:
    """The n-grams of texts in lower case: for each kind and lengths that are asked for, those of all these lengths."""
    lines = _Lines([" ".join(["", *_WORD.findall(text), ""]) for text in lowered])
    grams_of = {WORDS: _word_grams, CHARACTERS: _character_grams}
    return [_gathered([grams_of[kind](lines, length) for length in lengths]) for kind, lengths in asked]


class _Lines:
    """Texts as one string with a line per text; words have a blank before and after them.

    Attributes:
        blank: whether each character is a blank or a line end. ends: whether it is a line end.
        owners: the text of each character.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        # A lone surrogate is treated like any other code point.
        whole = "\n".join(texts).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(whole, dtype="<u4")
        self.ends = codes == ord("\n")
        self.blank = (codes == ord(" ")) | self.ends
        self.owners = np.cumsum(self.ends)
        powers = np.full(len(codes) + 1, _BASE, dtype=np.uint64)
        inverses = np.full(len(codes) + 1, _INVERSE, dtype=np.uint64)
        powers[0] = inverses[0] = 1
        self._inverses = np.cumprod(inverses)
        self._sums = np.zeros(len(codes) + 1, dtype=np.uint64)
        # Plus one, so that no code point contributes 0.
        np.cumsum((codes.astype(np.uint64) + 1) * np.cumprod(powers)[:-1], out=self._sums[1:])

    def hashed(self, starts: np.ndarray, stops: np.ndarray) -> Grams:
        """Hashes of substrings given by start and end, mixed by the finaliser of SplitMix64 (Steele et al. 2014)."""
        value = (self._sums[stops] - self._sums[starts]) * self._inverses[starts]
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return Grams(value ^ (value >> np.uint64(31)), self.owners[starts])


def _word_grams(lines: _Lines, length: int) -> Grams:
    """Every run of `length` words within one text, with the blanks between them."""
    starts = np.flatnonzero(lines.blank[:-1] & ~lines.blank[1:]) + 1
    stops = np.flatnonzero(~lines.blank[:-1] & lines.blank[1:]) + 1
    first, last = starts[: max(0, len(starts) - length + 1)], stops[length - 1 :]
    whole = lines.owners[first] == lines.owners[last - 1]
    return lines.hashed(first[whole], last[whole])


def _character_grams(lines: _Lines, length: int) -> Grams:
    """Every run of `length` characters within one word, including the blanks around it."""
    count = max(0, len(lines.blank) - length + 1)
    starts = np.arange(count)
    blanks = np.concatenate([[0], np.cumsum(lines.blank)])
    inside = blanks[starts + length - 1] - blanks[starts + 1]
    kept = starts[(inside == 0) & ~lines.ends[:count] & ~lines.ends[length - 1 :]]
    return lines.hashed(kept, kept + length)


def _gathered(parts: Sequence[Grams]) -> Grams:
    return Grams(np.concatenate([part.hashes for part in parts]), np.concatenate([part.owners for part in parts]))
