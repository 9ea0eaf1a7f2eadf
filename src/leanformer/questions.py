"""What one may ask of a model: which values are questions to it, and for the others what to give instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.errors import DataError
from leanformer.task import Question, Task

# Nothing is seen of a text that holds only these: white space, control and format characters (zero-width spaces, marks
# of direction, byte order marks, variation selectors), and the blanks among letters. Written so that it means the same
# in Python and in JSON Schema.
BLANK = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
VISIBLE = f"[^{BLANK}]"
"""A regular expression for what a text must have, or it is empty and no question to any model."""
_VISIBLE = re.compile(VISIBLE)
_EMPTY_REMEDY = "leave it out, or give it at least one word"


def is_empty(text: str) -> bool:
    """Whether nothing is to be seen of the text (see `BLANK`)."""
    return _VISIBLE.search(text) is None


def as_questions(given: Any) -> list[Any]:
    """The items of a list, tuple, array, column of a table or iterator, in order; what they are is not looked at.

    Raises `TypeError`, with what to give, for what is no list of texts though Python would walk through it: a bare
    text, a table (its column names), a mapping (its keys), a set (no order); and for what is no list at all.
    """
    kind = type(given)
    if isinstance(given, str):
        raise TypeError("predict takes a list of texts; wrap one text in a list: [text]")
    if isinstance(given, bytes | bytearray | memoryview):
        raise TypeError(f"predict takes a list of texts, and not {kind.__name__}: [value.decode('utf-8')]")
    if isinstance(given, Mapping):
        raise TypeError(f"a mapping ({kind.__name__}) is no list of texts; give one of its values: {_value_of(given)}")
    if isinstance(given, set | frozenset):
        raise TypeError("a set has no order, so that no answer could be told from another; give a list: sorted(texts)")
    # Of the class, because an element of a pandas Series may have any name.
    for name in ("columns", "column_names"):
        if hasattr(kind, name):
            columns = [one for one in getattr(given, name) if isinstance(one, str)]
            column = "text" if "text" in columns or not columns else columns[0]
            raise TypeError(f'a table ({kind.__name__}) is no list of texts; give one column: frame["{column}"]')
    # Arrays and columns hand over their elements as what they are in Python, missing ones as None or NaN.
    for name in ("tolist", "to_pylist"):
        if callable(getattr(given, name, None)):
            items = getattr(given, name)()
            break
    else:
        items = given
    # An array without dimensions hands over what it holds.
    if not isinstance(items, str) and isinstance(items, Iterable):
        return list(items)
    raise TypeError(f"predict takes a list of texts, and not {kind.__name__} ({given!r:.40})")


def check_texts(texts: Sequence[Question], task: Task) -> None:
    """Raise for the first that is no question of the task.

    `DataError` where a text is empty (`is_empty`), where a pair is given for a single text, or a single text for a
    pair; `TypeError` for what is no text. Where words are tagged, a list of words is as good as a text. A bare string
    is a `TypeError`: it would be taken for a list of letters.
    """
    if isinstance(texts, str):
        raise TypeError("predict takes a list of texts; wrap one text in a list: [text]")
    check = _check_words if form_of(task).per_word else _check_pair if task.pairs else _check_single
    for number, text in enumerate(texts, start=1):
        check(text, f"text {number}")


def _check_single(text: Any, name: str) -> None:
    if isinstance(text, str):
        _check_visible(text, name)
        return
    if _is_texts(text) and len(text) == 2:
        raise DataError(
            f"{name} is a pair of texts, and the model was made for single ones",
            remedy="give strings, or a model that was trained on pairs",
        )
    raise TypeError(_no_text(text, name, "neither a string nor two of them"))


def _check_pair(text: Any, name: str) -> None:
    if isinstance(text, str):
        raise DataError(
            f"{name} is a single text, and the model was made for pairs",
            remedy='give pairs: [("first text", "second text"), ...]',
        )
    if not _is_texts(text) or len(text) != 2:
        raise TypeError(_no_text(text, name, "neither a string nor two of them"))
    for part, which in zip(text, ("first", "second"), strict=True):
        _check_visible(part, f"{name}: its {which} text")


def _check_words(text: Any, name: str) -> None:
    if isinstance(text, str):
        _check_visible(text, name)
        return
    if not _is_texts(text):
        raise TypeError(_no_text(text, name, "neither a string nor a list of words"))
    if not text:
        raise DataError(f"{name} has no words", remedy=_EMPTY_REMEDY)
    for number, word in enumerate(text, start=1):
        _check_visible(word, f"{name}: its word {number}")


def _check_visible(text: str, name: str) -> None:
    if is_empty(text):
        raise DataError(f"{name} is empty" + (f" ({text!a:.40})" if text else ""), remedy=_EMPTY_REMEDY)


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(one, str) for one in value)


def _no_text(value: Any, name: str, wanted: str) -> str:
    """Why a value is no question, with what to do about those that people have in their tables."""
    what, instead = repr(value)[:60], ""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        instead = '; leave out rows without a text: frame["text"].dropna()'
    elif isinstance(value, bytes | bytearray):
        instead = "; decode it: value.decode('utf-8')"
    elif isinstance(value, Mapping):
        instead = f"; give its text: {_value_of(value)}"
    return f"{name} is {wanted}, but {what}{instead}"


def _value_of(mapping: Mapping[Any, Any]) -> str:
    name = "text" if "text" in mapping else next((one for one in mapping if isinstance(one, str)), "text")
    return f"row[{name!r:.40}]"
