"""Sentences to token ids with the first piece of every word known; long ones as windows, without losing a word.

A word's tag is read from its first piece (Devlin et al. 2019). Words are found by the places of tokens in the text, so
any tokenizer will do, and pieces are those that the same text has for every other task.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from tokenizers import Encoding

from leanformer.errors import TokenizerFileError
from leanformer.tagging.ragged import ragged
from leanformer.tagging.schemes import OUTSIDE
from leanformer.tagging.words import SEPARATOR, words_of
from leanformer.tokenizer_file.halves import check_whole
from leanformer.tokenizer_file.read import read_tokenizer

# The logits of a word that the tokenizer leaves nothing of: O, and nothing else.
_CERTAIN = 20.0


@dataclass(frozen=True)
class Window:
    """A sentence, or as much of it as a model reads at once.

    Attributes:
        ids: token ids with special tokens, int32 `[tokens]`.
        places: which tokens are first pieces of the words that this window is asked about, int64 `[k]`, rising.
        ends: behind the last piece of each of those words that is in the window, int64 `[k]`.
        words: the numbers of those words in their sentence, int64 `[k]`, rising. Every word that has a token is asked
            about in one window, the one where the shorter of its two sides is longest.
    """

    ids: np.ndarray
    places: np.ndarray
    ends: np.ndarray
    words: np.ndarray


class WindowTokenizer:
    """A `tokenizer.json` for texts that are read whole: what the classes for sentences and for passages share.

    Args:
        path: the file.
        max_tokens: of a window, special tokens included.
        overlap: tokens that a window repeats of the one before (the published stride is the rest); None: a quarter of
            what a window holds.
        one_core: never take more than the core that calls (see `tokenizer.Tokenizer`).

    Raises `TokenizerFileError` if the file cannot be read as a tokenizer, or leaves no room for a text.
    """

    pairs: ClassVar[bool] = False
    fewest: ClassVar[tuple[int, str]] = 1, "a word"
    """Tokens that have to be free for the texts, and what needs them."""

    def __init__(
        self, path: Path | str, max_tokens: int, *, overlap: int | None = None, one_core: bool = False
    ) -> None:
        self._file = read_tokenizer(path)
        self._tokenizer = self._file.library
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.max_tokens, self._overlap, self._one_core = max_tokens, overlap, one_core
        self._free = max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=self.pairs)
        if self._free < self.fewest[0]:
            raise TokenizerFileError(path, f"{max_tokens} tokens leave no room for {self.fewest[1]}")

    def _encodings(self, texts: Sequence[Any]) -> list[Encoding]:
        def work() -> list[Encoding]:
            if self._one_core:
                return [self._tokenizer.encode_batch([text])[0] for text in texts]
            return list(self._tokenizer.encode_batch(list(texts)))

        return self._file.run(work, texts)

    def _starts(self, length: int, room: int) -> list[int]:
        """Where windows of `room` tokens begin in `length` tokens."""
        return window_starts(length, room, min(room // 4 if self._overlap is None else self._overlap, room - 1))


class SentenceTokenizer(WindowTokenizer):
    """A `tokenizer.json` for sentences of words."""

    def windows(self, sentences: Sequence[str]) -> list[list[Window]]:
        """The windows of each sentence (see `words.join_words`): one, or several where it is longer than `max_tokens`.

        Raises `TypeError` for a bare string and for what is no string, `DataError` for half a surrogate pair.
        """
        if isinstance(sentences, str):
            raise TypeError("sentences must be a list; wrap one in a list")
        for number, sentence in enumerate(sentences, start=1):
            if not isinstance(sentence, str):
                raise TypeError(f"sentence {number} is no string, but {sentence!r:.60}")
        self._file.check_lengths(sentences, "sentence")
        try:
            encodings = self._encodings(sentences)
        except TypeError:
            for number, sentence in enumerate(sentences, start=1):
                check_whole(f"sentence {number}", sentence)
            raise
        return [
            self._cut(encoding, *first_pieces(text, encoding))
            for text, encoding in zip(sentences, encodings, strict=True)
        ]

    def _cut(self, encoding: Encoding, places: np.ndarray, ends: np.ndarray, words: np.ndarray) -> list[Window]:
        ids = np.asarray(encoding.ids, dtype=np.int32)
        if len(ids) <= self.max_tokens:
            return [Window(ids, places, ends, words)]
        special = np.asarray(encoding.special_tokens_mask, dtype=bool)
        content = np.flatnonzero(~special)
        head, tail = ids[: content[0]], ids[content[-1] + 1 :]
        room = self.max_tokens - len(head) - len(tail)
        starts = self._starts(len(ids) - len(head) - len(tail), room)
        inside = places - len(head)
        # Places rise, and so do their windows: those of each are a slice.
        bounds = np.searchsorted(owners(inside, starts, room), np.arange(len(starts) + 1))
        return [
            Window(
                np.concatenate([head, ids[len(head) + start : len(head) + start + room], tail]),
                inside[begin:end] - start + len(head),
                np.minimum(ends[begin:end] - start, len(head) + room),
                words[begin:end],
            )
            for start, begin, end in zip(starts, bounds[:-1], bounds[1:], strict=True)
        ]


def window_starts(length: int, room: int, overlap: int) -> list[int]:
    """Where windows of `room` tokens begin in `length` of them; the last one ends with the last token."""
    return [*range(0, length - room, room - overlap), length - room]


def owners(places: np.ndarray, starts: Sequence[int], room: int) -> np.ndarray:
    """For each place the number of the window where the shorter of its two sides is longest; the first of equals.

    That window is the one whose middle is nearest, so that two neighbours meet half-way between their middles. Places
    and starts rise; memory is linear in both.
    """
    begins = np.asarray(starts, dtype=np.int64)
    twice_the_border = begins[:-1] + begins[1:] + room - 1
    return np.searchsorted(twice_the_border, 2 * np.asarray(places, dtype=np.int64), side="left")


def first_pieces(text: str, encoding: Encoding) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which tokens are first pieces of words, behind which their last ones stand, and which words they are.

    Three int64 arrays `[k]`, rising.

    A token belongs to the word in which its first character that is no separator stands.
    """
    # A sentence has some dozens of tokens: plain Python is several times faster here than numpy's fixed price per call.
    separators = [place for place, letter in enumerate(text) if letter == SEPARATOR]
    found: list[tuple[int, int, int]] = []
    last = -1
    for token, ((begin, end), special) in enumerate(zip(encoding.offsets, encoding.special_tokens_mask, strict=True)):
        # Tokens of some tokenizers begin with the separator before their word.
        while begin < end and text[begin] == SEPARATOR:
            begin += 1
        if special or begin >= end:
            continue
        word = bisect_left(separators, begin)
        if word > last:
            found.append((token, token + 1, word))
            last = word
        elif word == last:
            found[-1] = (found[-1][0], token + 1, word)
    places, ends, words = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return places, ends, words


def nothing_left(labels: Sequence[str]) -> np.ndarray:
    """The logits `[labels]` of a word that no token is left of: they say O."""
    return np.where(np.array([name == OUTSIDE for name in labels]), _CERTAIN, 0).astype(np.float32)


def to_words(
    values: np.ndarray, windows: Sequence[Sequence[Window]], sentences: Sequence[str], labels: Sequence[str]
) -> np.ndarray:
    """Logits of tokens to logits of words.

    Args:
        values: `[tokens, labels]`, float32, of all windows of all sentences, end to end.
        labels: the tags, to know O by.

    Returns a ragged array `[sentences]` of `[words, labels]`. A word that no token is left of (a control character)
    has logits that say O.
    """
    none = nothing_left(labels)
    parts, start = [], 0
    for text, own_windows in zip(sentences, windows, strict=True):
        logits = np.tile(none, (len(words_of(text)), 1))
        for window in own_windows:
            logits[window.words] = values[start + window.places]
            start += len(window.ids)
        parts.append(logits)
    return ragged(parts)
