"""Checks of texts shared by all kinds of input, and error messages for values that are not texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leanformer.errors import DataError

# A text with only these characters shows nothing: white space, control and format characters (zero-width spaces,
# direction marks, byte order marks, variation selectors), and blank characters among the letters. The pattern has the
# same meaning in Python and in JSON Schema.
BLANK = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
VISIBLE = f"[^{BLANK}]"
"""A regular expression for what a text must have, or it is empty and no question to any model."""
_VISIBLE = re.compile(VISIBLE)
EMPTY_REMEDY = "leave it out, or give it at least one word"


def is_empty(text: str) -> bool:
    """Whether the text has no visible character (see `BLANK`)."""
    return _VISIBLE.search(text) is None


def check_visible(text: str, name: str) -> None:
    """Raise `DataError` for an empty text; `name` identifies it in the message."""
    if is_empty(text):
        raise DataError(f"{name} is empty" + (f" ({text!a:.40})" if text else ""), remedy=EMPTY_REMEDY)


def is_texts(value: Any) -> bool:
    """Whether a value is a tuple or list of strings."""
    return isinstance(value, tuple | list) and all(isinstance(part, str) for part in value)


def has_candidates(value: Any) -> bool:
    """Whether a value is a text with a tuple or list of candidate texts."""
    return isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str) and is_texts(value[1])


def refuse_candidates(value: Any, name: str, wanted: str) -> None:
    """Raise `DataError` for a question with candidates; `wanted` is what the model was made for."""
    if has_candidates(value):
        raise DataError(
            f"{name} is a question with candidates, and the model was made for {wanted}",
            remedy="leave the candidates out, or give a model that chooses one of several",
        )


def no_text(value: Any, name: str, wanted: str) -> str:
    """Why a value is not a valid question, with a remedy for values that are common in tables."""
    what, instead = repr(value)[:60], ""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        instead = '; leave out rows without a text: frame["text"].dropna()'
    elif isinstance(value, bytes | bytearray):
        instead = "; decode it: value.decode('utf-8')"
    elif isinstance(value, Mapping):
        instead = f"; give its text: {value_of(value)}"
    return f"{name} is {wanted}, but {what}{instead}"


def value_of(mapping: Mapping[Any, Any]) -> str:
    """Python source for the value of a mapping that is most likely the text."""
    name = "text" if "text" in mapping else next((key for key in mapping if isinstance(key, str)), "text")
    return f"row[{name!r:.40}]"
