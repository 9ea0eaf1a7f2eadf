"""Turns entities given as offsets in a text (first character, end, type) into words with tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from leanformer.tagging.words import split_words

_STARTS = ("start", "start_offset", "start_char", "begin", "startOffset")
_ENDS = ("end", "end_offset", "end_char", "stop", "endOffset")
_TYPES = ("label", "labels", "type", "entity", "entity_group", "entity_type", "tag")


class SpanError(ValueError):
    """Spans that cannot be expressed as tags of words, with a `remedy`."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


@dataclass(frozen=True, order=True)
class CharacterSpan:
    """The characters `start` to `end` (exclusive) of a text, and their type."""

    start: int
    end: int
    type: str


@dataclass(frozen=True)
class Tagged:
    """A text's words with their tags.

    Attributes:
        cut: number of spans that begin or end inside a word, which was split there.
        one_short: number of spans that end one character before the end of a word, as if the end were inclusive.
    """

    words: list[str]
    tags: list[str]
    spans: int
    cut: int
    one_short: int


def is_spans(value: object) -> bool:
    """Whether a value is a list of spans, at least one."""
    return isinstance(value, list) and bool(value) and all(as_span(entry) is not None for entry in value)


def as_span(value: object) -> CharacterSpan | None:
    """One span from `[start, end, type]`, `[type, start, end]` or an object with these under their usual names."""
    start: Any
    end: Any
    kind: Any
    if isinstance(value, list | tuple) and len(value) >= 3:
        start, end, kind = value[:3] if not isinstance(value[0], str) else (*value[1:3], value[0])
    elif isinstance(value, dict):
        start, end, kind = (_first(value, names) for names in (_STARTS, _ENDS, _TYPES))
        if isinstance(kind, list) and len(kind) == 1:
            kind = kind[0]
    else:
        return None
    if any(isinstance(place, bool) or not isinstance(place, int) for place in (start, end)):
        return None
    return CharacterSpan(start, end, kind.strip()) if isinstance(kind, str) and kind.strip() else None


def _first(value: dict[str, Any], names: Sequence[str]) -> Any:
    return next((value[name] for name in names if name in value), None)


def tag_text(text: str, spans: Sequence[CharacterSpan]) -> Tagged:
    """Split a text into words (`tagging.words.split_words`), also where a span begins or ends inside one, and tag them.

    White space at the ends of a span is ignored. Raises `SpanError` for spans that are outside the text, contain no
    letter, or overlap: a word has one tag.
    """
    found = sorted({_trimmed(text, span) for span in spans})
    for before, after in pairwise(found):
        if after.start < before.end:
            raise SpanError(
                f"the spans {_shown(text, before)} and {_shown(text, after)} overlap, but a word has one tag",
                "keep one of the two",
            )
    places = split_words(text)
    edges = {start for start, _ in places} | {end for _, end in places}
    word_end = {place: end for start, end in places for place in range(start, end)}
    cuts = sorted({edge for span in found for edge in (span.start, span.end)})
    words, tags = [], []
    upcoming = iter(found)
    span = next(upcoming, None)
    for start, end in _cut(places, cuts):
        while span is not None and span.end <= start:
            span = next(upcoming, None)
        inside = span is not None and span.start <= start
        words.append(text[start:end])
        tags.append(f"{'B' if start == span.start else 'I'}-{span.type}" if inside and span is not None else "O")
    return Tagged(
        words,
        tags,
        len(found),
        cut=sum(not {span.start, span.end} <= edges for span in found),
        one_short=sum(word_end.get(span.end) == span.end + 1 and span.end not in edges for span in found),
    )


def _trimmed(text: str, span: CharacterSpan) -> CharacterSpan:
    if not 0 <= span.start < span.end <= len(text):
        raise SpanError(
            f"the span {span.start} to {span.end} ({span.type}) does not lie in the text, which has {len(text)} "
            "characters",
            "give first character and end, counted from 0 in characters (not bytes), the end not included",
        )
    inside = text[span.start : span.end]
    if not inside.strip():
        raise SpanError(
            f"the span {span.start} to {span.end} ({span.type}) holds nothing but white space", "correct its places"
        )
    left = len(inside) - len(inside.lstrip())
    return CharacterSpan(span.start + left, span.start + left + len(inside.strip()), span.type)


def _cut(places: Sequence[tuple[int, int]], cuts: Sequence[int]) -> list[tuple[int, int]]:
    """The words, split at those of the (ascending) positions `cuts` that are inside one."""
    pieces: list[tuple[int, int]] = []
    number = 0
    for start, end in places:
        while number < len(cuts) and cuts[number] <= start:
            number += 1
        while number < len(cuts) and cuts[number] < end:
            pieces.append((start, cuts[number]))
            start = cuts[number]
            number += 1
        pieces.append((start, end))
    return pieces


def _shown(text: str, span: CharacterSpan) -> str:
    return f"{text[span.start : span.end]!r} ({span.start} to {span.end}, {span.type})"
