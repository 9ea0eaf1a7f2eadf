"""Turns rows whose texts have spans, under any usual key, into rows of words and tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.data.reading.conll import TAG_KEYS, WORD_KEYS
from leanformer.data.reading.sheets import Sheet, rows_of
from leanformer.data.reading.spans import SpanError, Tagged, as_span, is_spans, tag_text
from leanformer.errors import DataError

SPAN_KEYS = ("label", "labels", "entities", "spans", "ents", "annotations", "ner")
_FEW = 2


def span_key(sheets: Sequence[Sheet], kind: str | None) -> str:
    """The key under which the rows have spans of their text; "" if they have none, or also have a label."""
    hits = dict.fromkeys(SPAN_KEYS, 0)
    for _, _, record in rows_of(sheets):
        if "text" not in record:
            continue
        if any(record.get(key) is not None for key in (*WORD_KEYS, "tags")) and "ents" not in record:
            continue
        for key in SPAN_KEYS:
            hits[key] += is_spans(record.get(key))
        if kind is None and any(isinstance(record.get(key), str | int | float) for key in ("label", "labels")):
            return ""
    key = max(hits, key=lambda name: hits[name])
    if hits[key] or kind is None:
        return key if hits[key] else ""
    # Tags were requested: a list that is not a span is then an error.
    return next((name for name in SPAN_KEYS if _has_lists(sheets, name)), "")


def _has_lists(sheets: Sequence[Sheet], key: str) -> bool:
    return any(
        isinstance(record.get(key), list) and record[key] and not any(record.get(words) for words in WORD_KEYS)
        for _, _, record in rows_of(sheets)
    )


def read_spans(sheets: Sequence[Sheet], key: str) -> list[str]:
    """Turn the spans under `key` into `words` and `tags`; returns notes on what was done. Raises `DataError`."""
    found: list[Tagged] = []
    for sheet, line, record in rows_of(sheets):
        value, text = record.get(key), record.get("text")
        if value is None or not isinstance(text, str) or not text.strip():
            continue  # a row without a label or without a text: reported later
        if not isinstance(value, list) or (value and not is_spans(value)):
            wrong = (
                next((entry for entry in value if as_span(entry) is None), value) if isinstance(value, list) else value
            )
            raise sheet.error(
                line, f"{key!r} holds {wrong!r:.60}, which is no span of the text",
                'write first character, end and type of each: [[0, 5, "LOC"]]',
            )  # fmt: skip
        try:
            tagged = tag_text(text, [span for entry in value if (span := as_span(entry)) is not None])
        except SpanError as error:
            raise sheet.error(line, str(error), error.remedy) from None
        for name in (*SPAN_KEYS, *WORD_KEYS, *TAG_KEYS):
            record.pop(name, None)
        record.update(words=tagged.words, tags=tagged.tags)
        found.append(tagged)
    for sheet in sheets:
        sheet.hint = f"give every row {key!r}; one without any has an empty list"
    total = sum(tagged.spans for tagged in found)
    cut = sum(tagged.cut for tagged in found)
    short = sum(tagged.one_short for tagged in found)
    if short == total >= _FEW:
        raise DataError(
            f"each of the {total} spans under {key!r} ends one character before the end of a word",
            path=sheets[0].where,
            remedy="if the ends count the last character in, add 1 to each",
        )  # fmt: skip
    notes = [f"{total} spans under {key!r} were turned into tags of words"]
    if cut:
        notes.append(f"{cut} of {total} spans begin or end inside a word, which was cut there")
    return notes


def refuse_spans_of_words(sheet: Sheet) -> None:
    """Raise `DataError` for spans of words, which are ambiguous: some count the last word in, others do not."""
    for line, record in sheet.records:
        words = next((record[key] for key in WORD_KEYS if isinstance(record.get(key), list)), None)
        if words is None or any(record.get(key) is not None for key in ("tags", "ner_tags")):
            continue
        if key := next((key for key in SPAN_KEYS if is_spans(record.get(key))), ""):
            raise sheet.error(
                line, f"{key!r} holds spans of words, and whether they count their last word in is not said",
                f"write a tag for each word under 'tags', such as {_tags_shown(record[key], words)}",
            )  # fmt: skip


def _tags_shown(spans: list[Any], words: list[Any]) -> str:
    span = as_span(spans[0])
    kind = "PER" if span is None else span.type
    return str([f"B-{kind}", *["O"] * min(len(words) - 1, 2)])
