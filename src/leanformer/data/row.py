"""Rows as readers return them: with label names instead of indices, and with their positions in the source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leanformer.errors import DataError

RowLabel = str | float | tuple[str, ...] | tuple[tuple[str, int], ...]
LABEL_SEPARATOR = "|"  # between the labels of one row in a table


@dataclass(frozen=True)
class Row:
    """One example as read.

    Attributes:
        line: line of the file, from 1; for hub data sets the row of the split, from 1.
        text: the text, never blank.
        pair: the second text, or the candidates of a question; None if there is neither.
        label: the label name, the tuple of names, or a decimal number; for answers in a context the tuple of right
            answers, each with its first character; None if the row has none.
        near_label: name of another column that looks like the label, if there is no `label`; otherwise "".
        words: whether the text is a sentence of words (`tagging.words`) for tagging, with or without tags.
        language: of a sentence, if the data give it; otherwise "".
        file: the file of `line`, if a table comes from several files; otherwise "".
    """

    line: int
    text: str
    pair: str | tuple[str, ...] | None = None
    label: RowLabel | None = None
    near_label: str = ""
    words: bool = False
    language: str = ""
    file: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one split and where they came from.

    Attributes:
        where: a file's path, or the name of a hub data set and its split.
        rows: the rows, in order.
        is_file: whether `Row.line` is the line of a file.
        notes: sentences on how it was read.
        hint: what may have to be done if rows have no label; "" if nothing is known.
        others: further columns that may hold the label.
    """

    where: str
    rows: Sequence[Row]
    is_file: bool = True
    notes: tuple[str, ...] = ()
    hint: str = ""
    others: tuple[str, ...] = ()

    def error(self, problem: str, row: Row | None = None, *, remedy: str = "") -> DataError:
        """A `DataError` that names the source and, if `row` is given, its line."""
        if row is None:
            return DataError(problem, path=self.where, remedy=remedy)
        if self.is_file:
            return DataError(problem, path=row.file or self.where, line=row.line, remedy=remedy)
        return DataError(problem, path=f"{self.where}, row {row.line}", remedy=remedy)


def as_score(label: str | float) -> float | None:
    """The number given by a label, if it is a finite one."""
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def describe(value: Any) -> str:
    """A value of a row for a message, with its type."""
    shown = repr(value)
    kinds = {bool: "a truth value", float: "a decimal number", int: "an integer", list: "a list", dict: "an object"}
    name = "null" if value is None else kinds.get(type(value), f"of type {type(value).__name__}")
    return f"{name} ({shown if len(shown) <= 40 else shown[:37] + '...'})" if value is not None else name
