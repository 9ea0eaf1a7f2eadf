"""Valid inputs for `predict`: which values are questions for a model, and what to give instead of other values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.inputs.checks import VISIBLE as VISIBLE
from leanformer.inputs.checks import is_empty as is_empty
from leanformer.inputs.checks import value_of
from leanformer.inputs.kinds import input_of
from leanformer.task import Question, Task


def as_questions(given: Any) -> list[Any]:
    """The items of a list, tuple, array, column of a table or iterator, in order; the items are not checked.

    Raises `TypeError`, with a remedy, for iterables that are not lists of texts: a bare text, a table (column names), a
    mapping (keys), a set (no order); and for values that are not iterable.
    """
    kind = type(given)
    if isinstance(given, str):
        raise TypeError("predict takes a list of texts; wrap one text in a list: [text]")
    if isinstance(given, bytes | bytearray | memoryview):
        raise TypeError(f"predict takes a list of texts, and not {kind.__name__}: [value.decode('utf-8')]")
    if isinstance(given, Mapping):
        raise TypeError(f"a mapping ({kind.__name__}) is no list of texts; give one of its values: {value_of(given)}")
    if isinstance(given, set | frozenset):
        raise TypeError("a set has no order, so that no answer could be told from another; give a list: sorted(texts)")
    # Looked up on the class, because an element of a pandas Series may have any name.
    for name in ("columns", "column_names"):
        if hasattr(kind, name):
            columns = [label for label in getattr(given, name) if isinstance(label, str)]
            column = "text" if "text" in columns or not columns else columns[0]
            raise TypeError(f'a table ({kind.__name__}) is no list of texts; give one column: frame["{column}"]')
    # Arrays and columns convert their elements to Python types, missing ones to None or NaN.
    for name in ("tolist", "to_pylist"):
        if callable(getattr(given, name, None)):
            items = getattr(given, name)()
            break
    else:
        items = given
    # A zero-dimensional array returns its single value.
    if not isinstance(items, str) and isinstance(items, Iterable):
        return list(items)
    raise TypeError(f"predict takes a list of texts, and not {kind.__name__} ({given!r:.40})")


def check_texts(texts: Sequence[Question], task: Task) -> None:
    """Raise an error for the first value that is not a question of the task.

    See `Input.check` for the errors. A bare string is a `TypeError`: it would be taken for a list of letters.
    """
    if isinstance(texts, str):
        raise TypeError("predict takes a list of texts; wrap one text in a list: [text]")
    form_of(task)  # an answer form that is not supported has no questions
    check = input_of(task).check
    for number, text in enumerate(texts, start=1):
        check(text, f"text {number}")
