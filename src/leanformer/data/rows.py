"""Rows as readers hand them over: checked one by one, labels still names, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from leanformer.errors import DataError

READABLE_KINDS = ("classification", "pair")
PAIRS_NOT_BUILT = "classifying sentence pairs is not built yet"

# What people commonly call these keys, likeliest first.
_COMMON_NAMES = {
    "text": (
        *("sentence", "content", "review", "utterance", "question", "query", "body", "message", "tweet"),
        *("document", "comment", "headline", "title", "sentence1", "premise", "question1", "text1", "text_a"),
    ),
    "text_pair": ("sentence2", "hypothesis", "question2", "text2", "text_b", "textpair", "pair", "passage", "answer"),
    "label": ("labels", "intent", "category", "class", "target", "sentiment", "y", "gold", "gold_label", "tag"),
}


@dataclass(frozen=True)
class Row:
    """One example as read.

    Attributes:
        line: line of the file, from 1; for hub data sets the row of the split, from 1.
        text: the text, never blank.
        pair: the second text; None where there is none.
        label: the label name; None where the row has none.
        near_label: name of another column that looks like the label, where there is no `label`; else "".
    """

    line: int
    text: str
    pair: str | None = None
    label: str | None = None
    near_label: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one split and where they came from.

    Attributes:
        where: a file's path, or the name of a hub data set and its split.
        rows: the rows, in order.
        is_file: whether `Row.line` is the line of a file.
    """

    where: str
    rows: Sequence[Row]
    is_file: bool = True

    def error(self, problem: str, row: Row | None = None, *, remedy: str = "") -> DataError:
        """A `DataError` that names the source and, where `row` is given, its line."""
        if row is None:
            return DataError(problem, path=self.where, remedy=remedy)
        if self.is_file:
            return DataError(problem, path=self.where, line=row.line, remedy=remedy)
        return DataError(problem, path=f"{self.where}, row {row.line}", remedy=remedy)


def build_row(record: dict[str, Any], kind: str, *, path: object, line: int | None, number: int | None = None) -> Row:
    """Check a record and make a `Row` of its `text`, `text_pair` and `label`; other keys are ignored.

    A second text is demanded for kind "pair" and refused otherwise, because to drop it would be to answer
    another question than the data asks; null and an empty one count as none. A label may be a string or an
    integer; null and a missing key mean that the row has none. `number` is the row's number where there is
    no line. Raises `DataError`.
    """
    names = tuple(str(name) for name in record)
    text = _check_text(record, "text", names, path, line)
    pair: str | None = None
    if kind == "pair":
        pair = _check_text(record, "text_pair", names, path, line)
    elif (second := record.get("text_pair")) is not None and str(second).strip():
        raise DataError(
            f"a second text ('text_pair'), but {PAIRS_NOT_BUILT}",
            path=path,
            line=line,
            remedy="remove the column 'text_pair', or join the two texts yourself in 'text'",
        )
    label = _check_label(record.get("label"), path, line)
    near = suggest_name(names, "label") if label is None and "label" not in record else None
    return Row(line=line or number or 0, text=text, pair=pair, label=label, near_label=near or "")


def missing_column(key: str, names: Iterable[str], *, path: object, line: int | None, what: str = "key") -> DataError:
    """The error for a record or a header without `key`: lists what is there and suggests a renaming."""
    found = tuple(names)
    near = suggest_name(found, key)
    there = f"the {what}s there are {', '.join(map(repr, found))}" if found else f"there are no {what}s at all"
    remedy = f"rename {near!r} to {key!r}" if near else f"give every example a {what} {key!r}"
    return DataError(f"no {what} {key!r}; {there}", path=path, line=line, remedy=remedy)


@lru_cache(maxsize=256)
def suggest_name(names: tuple[str, ...], key: str) -> str | None:
    """The first of `names` that people commonly use for `key` ("text", "text_pair" or "label")."""
    simple = {name.strip().lower(): name for name in reversed(names)}
    for candidate in (key, key.replace("_", " "), key.replace("_", "-"), *_COMMON_NAMES[key]):
        if candidate in simple:
            return simple[candidate]
    close = difflib.get_close_matches(key, simple, n=1, cutoff=0.8)
    return simple[close[0]] if close else None


def _check_text(record: dict[str, Any], key: str, names: tuple[str, ...], path: object, line: int | None) -> str:
    if key not in record:
        raise missing_column(key, names, path=path, line=line)
    text = record[key]
    if not isinstance(text, str):
        raise DataError(f"{key!r} is {_describe(text)}, not a string", path=path, line=line, remedy="quote the text")
    if not text.strip():
        raise DataError(
            f"{key!r} is empty" if not text else f"{key!r} holds nothing but white space",
            path=path,
            line=line,
            remedy="remove the row or give it a text",
        )
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


def _check_label(value: Any, path: object, line: int | None) -> str | None:
    if value is None:
        return None
    # bool is a subclass of int, so it has to be asked for first.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(
            f"the label is {_describe(value)}, but a label is a name (a string) or an integer",
            path=path,
            line=line,
            remedy='write it as a string, such as "label": "yes"',
        )
    label = str(value).strip()
    if not label:
        raise DataError("the label is an empty string", path=path, line=line, remedy="name the label, or leave it out")
    return label


def _describe(value: Any) -> str:
    shown = repr(value)
    kinds = {bool: "a truth value", float: "a decimal number", int: "an integer", list: "a list", dict: "an object"}
    name = "null" if value is None else kinds.get(type(value), f"of type {type(value).__name__}")
    return f"{name} ({shown if len(shown) <= 40 else shown[:37] + '...'})" if value is not None else name
