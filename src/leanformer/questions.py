"""What one may ask of a model: which values are questions to it, and for the others what to give instead."""

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
        raise TypeError(f"a mapping ({kind.__name__}) is no list of texts; give one of its values: {value_of(given)}")
    if isinstance(given, set | frozenset):
        raise TypeError("a set has no order, so that no answer could be told from another; give a list: sorted(texts)")
    # Of the class, because an element of a pandas Series may have any name.
    for name in ("columns", "column_names"):
        if hasattr(kind, name):
            columns = [label for label in getattr(given, name) if isinstance(label, str)]
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

    What is raised is said in `Input.check`. A bare string is a `TypeError`: it would be taken for a list of letters.
    """
    if isinstance(texts, str):
        raise TypeError("predict takes a list of texts; wrap one text in a list: [text]")
    form_of(task)  # whose answers are of no form that is built has no questions either
    check = input_of(task).check
    for number, text in enumerate(texts, start=1):
        check(text, f"text {number}")
