"""Questions with their contexts to token ids; a long context in overlapping windows, each with the whole question.

Answers are pieces of the context, counted in characters (Unicode code points) of the text as it was given. What a model
says about tokens is therefore laid out by character, the same for every tokenizer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from tokenizers import Encoding

from leanformer.spans.best import NOWHERE
from leanformer.tagging.ragged import ragged
from leanformer.tagging.windows import WindowTokenizer, owners
from leanformer.tokenizer_file.halves import check_whole

# Zero-width joiner and variation selectors: they belong to the character before them, as combining marks do.
_JOINED = frozenset("\u200d\ufe0e\ufe0f")


@dataclass(frozen=True)
class PassageWindow:
    """A question and as much of its context as a model reads at once.

    A unit is the smallest piece of the context that answers consist of: a token, or several tokens of one character.

    Attributes:
        ids: token ids and token types, int32 `[tokens, 2]`.
        firsts, lasts: the first and the last token of each unit that is completely in the window, int64 `[k]`, rising.
        begins, ends: its first character in the context, and its end (exclusive), int64 `[k]`, rising.
        owned: which of these units are answered by this window (a slice): each unit by the window where the shorter of
            its two sides is longest.
        cut: whether the end of the question was left out because it is too long.
    """

    ids: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    owned: slice
    cut: bool = False

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """The first and the last token of the answer `context[start:end]`; None if it is not completely in here."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.begins, end, side="left")) - 1
        inside = first <= last and self.begins[0] <= start and end <= self.ends[-1]
        return (int(self.firsts[first]), int(self.lasts[last])) if inside else None


class PassageTokenizer(WindowTokenizer):
    """A `tokenizer.json` for questions with contexts. A window holds the question, and as much of the context as fits;
    half of it at least is for the context."""

    pairs: ClassVar[bool] = True
    fewest: ClassVar[tuple[int, str]] = 2, "a question and a context"

    def windows(self, pairs: Sequence[tuple[str, str]]) -> list[list[PassageWindow]]:
        """The windows of each question with its context: one, or several if they are longer than `max_tokens`.

        Raises `TypeError` for what is no pair of strings, `DataError` for half a surrogate pair.
        """
        for number, pair in enumerate(pairs, start=1):
            if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                raise TypeError(f"text {number} is no question with a context, but {pair!r:.60}")
            check_whole(f"text {number}", *pair)
        self._file.check_lengths(pairs)
        encodings = self._encodings([tuple(pair) for pair in pairs])
        return [self._cut(pair[1], encoding) for pair, encoding in zip(pairs, encodings, strict=True)]

    def _cut(self, context: str, encoding: Encoding) -> list[PassageWindow]:
        ids = np.stack([encoding.ids, encoding.type_ids], axis=1).astype(np.int32)
        sequence = np.array([-1 if number is None else number for number in encoding.sequence_ids], dtype=np.int64)
        units = _units(context, encoding, sequence)
        firsts, lasts, begins, ends = units
        if len(ids) <= self.max_tokens:
            return [PassageWindow(ids, firsts, lasts, begins, ends, slice(0, len(firsts)))]
        inside = np.flatnonzero(sequence == 1)
        asked = np.flatnonzero(sequence == 0)[self._free // 2 :]
        low, high = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (len(ids), len(ids))
        head = np.delete(ids[:low], asked, axis=0)
        tail = ids[high:]
        room = self.max_tokens - len(head) - len(tail)
        length = high - low
        starts = [0] if length <= room else self._starts(length, room)
        owner = owners(firsts - low, starts, room) if len(starts) > 1 else np.zeros(len(firsts), dtype=np.int64)
        windows = []
        for number, start in enumerate(starts):
            from_, to = (
                int(np.searchsorted(firsts, low + start, side="left")),
                int(np.searchsorted(lasts, low + start + room, side="left")),
            )
            mine = (
                int(np.searchsorted(owner, number, side="left")),
                int(np.searchsorted(owner, number, side="right")),
            )
            owned = slice(max(mine[0] - from_, 0), max(min(mine[1], to) - from_, 0))
            moved = len(head) - low - start
            windows.append(
                PassageWindow(
                    np.concatenate([head, ids[low + start : min(low + start + room, high)], tail]),
                    firsts[from_:to] + moved, lasts[from_:to] + moved, begins[from_:to], ends[from_:to], owned,
                    cut=bool(len(asked)),
                )
            )  # fmt: skip
        return windows


def _units(context: str, encoding: Encoding, sequence: np.ndarray) -> np.ndarray:
    """First and last token, first character and end of each unit, int64 `[4, k]`, rising."""
    found: list[tuple[int, int, int, int]] = []
    offsets = encoding.offsets
    for token in np.flatnonzero(sequence == 1).tolist():
        begin, end = offsets[token]
        # Tokens of some tokenizers begin with the white space before their word.
        while begin < end and context[begin].isspace():
            begin += 1
        while end > begin and context[end - 1].isspace():
            end -= 1
        if begin >= end:
            continue
        if found and begin < found[-1][3]:  # a character of several tokens
            found[-1] = (found[-1][0], token, found[-1][2], max(end, found[-1][3]))
        else:
            found.append((token, token, begin, end))
    if not context.isascii():
        borders = [*(unit[2] for unit in found[1:]), len(context)]
        found = [
            (first, last, begin, _with_marks(context, end, border))
            for (first, last, begin, end), border in zip(found, borders, strict=True)
        ]
    return np.array(found, dtype=np.int64).reshape(-1, 4).T


def _with_marks(context: str, end: int, border: int) -> int:
    """The end of a unit with the marks behind it that belong to its last character and are in no token."""
    while end < border and _is_mark(context[end]):
        end += 1
    return end


@lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    return character in _JOINED or unicodedata.category(character) in ("Mn", "Mc", "Me")


def to_characters(
    values: np.ndarray, windows: Sequence[Sequence[PassageWindow]], pairs: Sequence[tuple[str, str]]
) -> np.ndarray:
    """Logits of tokens to logits of the characters that answers can start with and end with.

    Args:
        values: `[tokens, 2]`, float32, of all windows of all questions, end to end: of the start, and of the end.

    Returns a ragged array `[pairs]` of `[1 + characters, 2]`, float32. Row 0 stands for no answer and is 0: others are
    relative to those of the first token of their window, at which models are taught to say that the answer is not
    there, so that windows can be compared. A character that is in no token's first (last) place has `NOWHERE`.
    """
    parts, start = [], 0
    for (_, context), own in zip(pairs, windows, strict=True):
        table = np.full((1 + len(context), 2), NOWHERE, dtype=np.float32)
        table[0] = 0
        for window in own:
            put_characters(table, window, values[start : start + len(window.ids)])
            start += len(window.ids)
        parts.append(table)
    return ragged(parts)


def put_characters(table: np.ndarray, window: PassageWindow, logits: np.ndarray, first: int = 0) -> None:
    """Write a window's logits `[tokens, 2]` to the rows of `table` for the characters that it answers; see
    `to_characters`. `first` is the row of `table` for no answer."""
    own, relative = window.owned, logits - logits[0]
    table[first + 1 + window.begins[own], 0] = relative[window.firsts[own], 0]
    table[first + window.ends[own], 1] = relative[window.lasts[own], 1]
