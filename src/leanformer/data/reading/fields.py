"""Fields of a record: their names, and the validation of single texts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from leanformer.data.row import describe
from leanformer.errors import DataError

_OF_PANDAS = "where pandas wrote it, write one row a line: to_json(FILE, orient='records', lines=True)"

# Common names of these keys, most likely first.
_COMMON_NAMES = {
    "text": (
        *("sentence", "content", "review", "utterance", "question", "query", "body", "message", "tweet"),
        *("document", "comment", "headline", "title", "sentence1", "premise", "question1", "text1", "text_a"),
        *("comment_text", "review_text", "tweet_text", "full_text", "clean_text", "phrase", "sms", "description"),
    ),
    "text_pair": ("sentence2", "hypothesis", "question2", "text2", "text_b", "textpair", "pair", "passage", "answer"),
    "context": ("passage", "paragraph", "document", "article", "text_pair"),
    "choices": ("candidates", "options", "answers", "endings", "alternatives"),
    "label": ("labels", "intent", "category", "class", "target", "sentiment", "y", "gold", "gold_label", "tag"),
}


def missing_column(key: str, names: Iterable[str], *, path: object, line: int | None, what: str = "key") -> DataError:
    """The error for a record or a header without `key`: lists the existing names and suggests a renaming."""
    found = tuple(names)
    near = suggest_name(found, key)
    there = f"the {what}s there are {', '.join(map(repr, found))}" if found else f"there are no {what}s at all"
    header = "; where the first line is no header, write one above it" if what == "column" else ""
    remedy = f"rename {near!r} to {key!r}" if near else f"give every example a {what} {key!r}{header}"
    return DataError(f"no {what} {key!r}; {there}", path=path, line=line, remedy=remedy)


@lru_cache(maxsize=256)
def suggest_name(names: tuple[str, ...], key: str) -> str | None:
    """The first of `names` that is commonly used for `key` ("text", "text_pair" or "label")."""
    simple = {name.strip().lower(): name for name in reversed(names)}
    for candidate in (key, key.replace("_", " "), key.replace("_", "-"), *_COMMON_NAMES[key]):
        if candidate in simple:
            return simple[candidate]
    close = difflib.get_close_matches(key, simple, n=1, cutoff=0.8)
    return simple[close[0]] if close else None


def check_text(record: dict[str, Any], key: str, names: tuple[str, ...], path: object, line: int | None) -> str:
    if key not in record:
        raise missing_column(key, names, path=path, line=line)
    text = record[key]
    if not isinstance(text, str):
        remedy = _OF_PANDAS if isinstance(text, dict) and "0" in text else "quote the text"
        raise DataError(f"{key!r} is {describe(text)}, not a string", path=path, line=line, remedy=remedy)
    if not text.strip():
        raise DataError(
            f"{key!r} is empty" if not text else f"{key!r} holds nothing but white space", path=path, line=line,
            remedy="give the row a text, or remove it",
        )  # fmt: skip
    if "\0" in text:
        raise DataError(f"{key!r} holds a NUL character", path=path, line=line, remedy="remove it")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise DataError(
            f"{key!r} holds half of a surrogate pair, which is no character",
            path=path,
            line=line,
            remedy="write the text as UTF-8, or with both halves of the \\u escape",
        )
    return text
