"""Records to rows: checked one by one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from leanformer.data.label_forms import LABEL_FORMS
from leanformer.data.row import Row, describe
from leanformer.errors import DataError
from leanformer.task import BUILT

# Pairs of column names that are read as `text` and `text_pair` where a row has both of them and no `text`.
PAIR_NAMES = (
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("text1", "text2"),
)
_NO_PAIRS = (
    "a second text ('text_pair'), but these are single texts (kind {!r})",
    "join the two texts yourself in 'text'; or, for pairs of texts, give every row both, leave --kind out, and take a "
    "model that was made for them",
)
_OF_PANDAS = "where pandas wrote it, write one row a line: to_json(FILE, orient='records', lines=True)"

# What people commonly call these keys, likeliest first.
_COMMON_NAMES = {
    "text": (
        *("sentence", "content", "review", "utterance", "question", "query", "body", "message", "tweet"),
        *("document", "comment", "headline", "title", "sentence1", "premise", "question1", "text1", "text_a"),
        *("comment_text", "review_text", "tweet_text", "full_text", "clean_text", "phrase", "sms", "description"),
    ),
    "text_pair": ("sentence2", "hypothesis", "question2", "text2", "text_b", "textpair", "pair", "passage", "answer"),
    "label": ("labels", "intent", "category", "class", "target", "sentiment", "y", "gold", "gold_label", "tag"),
}


def build_row(
    record: dict[str, Any], kind: str | None, *, path: object, line: int | None, number: int | None = None
) -> Row:
    """Check a record and make a `Row` of its `text`, `text_pair`, and `label` or `labels`; other keys are ignored.

    A second text is demanded where `kind` is one of pairs and refused where it is not, because to drop it would be
    to answer another question than the data asks; null and an empty one count as none. Without a kind it may be
    there or not. A label may be a string or an integer; null and a missing key mean that the row has none. A list
    under `labels` holds any number of them. A decimal number is a score. `number` is the row's number where there
    is no line. Raises `DataError`.
    """
    record = _with_our_names(record)
    names = tuple(str(name) for name in record)
    text = _check_text(record, "text", names, path, line)
    second = record.get("text_pair")
    is_there = second is not None and bool(str(second).strip())
    if is_there and kind is not None and not BUILT[kind].pairs:
        raise DataError(_NO_PAIRS[0].format(kind), path=path, line=line, remedy=_NO_PAIRS[1])
    wanted = is_there or (kind is not None and BUILT[kind].pairs)
    pair = _check_text(record, "text_pair", names, path, line) if wanted else None
    label = _read_label(record, path, line)
    near = suggest_name(names, "label") if label is None and "label" not in record else None
    row = Row(line=line or number or 0, text=text, pair=pair, label=label, near_label=near or "")
    if kind is not None and (found := mismatch(row, kind)):
        raise DataError(found[0], path=path, line=line, remedy=found[1])
    return row


def mismatch(row: Row, kind: str) -> tuple[str, str] | None:
    """Why a row is not one of `kind`, and what to do about it; None for a row that is (its label may be missing)."""
    if BUILT[kind].pairs and row.pair is None:
        return (
            f"no second text ('text_pair'), but these are pairs of texts (kind {kind!r})",
            "give the row a second text, or remove it",
        )
    if row.pair is not None and not BUILT[kind].pairs:
        return _NO_PAIRS[0].format(kind), _NO_PAIRS[1]
    if row.label is None:
        return None
    return LABEL_FORMS[BUILT[kind].answer].problem(row.label, kind)


def _with_our_names(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a well-known pair of names replaced by ours, where it has no `text`."""
    if "text" not in record:
        for first, second in PAIR_NAMES:
            if first in record and second in record:
                ours = {first: "text", second: "text_pair"}
                return {ours.get(name, name): value for name, value in record.items()}
    return record


def missing_column(key: str, names: Iterable[str], *, path: object, line: int | None, what: str = "key") -> DataError:
    """The error for a record or a header without `key`: lists what is there and suggests a renaming."""
    found = tuple(names)
    near = suggest_name(found, key)
    there = f"the {what}s there are {', '.join(map(repr, found))}" if found else f"there are no {what}s at all"
    header = "; where the first line is no header, write one above it" if what == "column" else ""
    remedy = f"rename {near!r} to {key!r}" if near else f"give every example a {what} {key!r}{header}"
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


def _read_label(record: dict[str, Any], path: object, line: int | None) -> str | float | tuple[str, ...] | None:
    several = record.get("labels")
    # One name under `labels` is taken for a misnamed `label`, of which `near_label` will tell.
    if not isinstance(several, list | tuple):
        return _check_label(record.get("label"), path, line)
    if record.get("label") is not None:
        raise DataError("both 'label' and 'labels'", path=path, line=line, remedy="rename the one that is not meant")
    names = [_check_label(one, path, line) for one in several]
    for name in names:
        if not isinstance(name, str):
            raise DataError(
                f"'labels' holds {describe(name)}" + (", as probabilities are" if isinstance(name, float) else ""),
                path=path,
                line=line,
                remedy='write the names of the labels that apply: "labels": ["a", "b"]',
            )
        if names.count(name) > 1:
            raise DataError(f"the label {name!r} is given twice", path=path, line=line, remedy="name every label once")
    return tuple(sorted(str(name) for name in names))


def _check_label(value: Any, path: object, line: int | None) -> str | float | None:
    if value is None:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DataError(f"the label is {value}, which is no number", path=path, line=line, remedy="correct it")
        return value
    # bool is a subclass of int, so it has to be asked for first.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(
            f"the label is {describe(value)}, but a label is a name (a string) or an integer",
            path=path,
            line=line,
            remedy='write it as a string, such as "label": "yes"'
            + ("; several labels go into a list under 'labels'" if isinstance(value, list) else ""),
        )
    label = str(value).strip()
    if not label:
        raise DataError(
            "the label is an empty string", path=path, line=line, remedy="name the label; null says that there is none"
        )
    return label
