"""Detecting from the rows the kind of task, and refusing rows of another kind."""

from __future__ import annotations

import re
from collections.abc import Mapping

from leanformer.data.label_forms import LABEL_FORMS
from leanformer.data.reading.input_forms import INPUT_FORMS, input_of_second
from leanformer.data.reading.rows import mismatch
from leanformer.data.row import Row, Table, as_score
from leanformer.task import kind_of

# A decimal number with a nonzero fraction: 4.0 may be a class written by a spreadsheet, 4.25 cannot be.
_FRACTION = re.compile(r"[+-]?\d*\.\d*[1-9]\d*")


def detect_kind(tables: Mapping[str, Table], labelled: tuple[str, ...]) -> tuple[str, list[str]]:
    """The kind of task of most rows of the first table (in the order of `labelled`), and notes.

    Rows with a second text are pairs, and lists of words are for tagging. Lists under `labels` mean any number of
    labels; decimal numbers, if some have a fraction, mean scores; everything else is one label of several. Raises
    `DataError` for a kind that is not supported.
    """
    first = next((tables[split] for split in labelled if split in tables), None)
    rows = (first or next(iter(tables.values()))).rows
    if 2 * sum(row.words for row in rows) > len(rows):
        return "tokens", []
    inputs = [input_of_second(row.pair) for row in rows]
    most = next((name for name in INPUT_FORMS if 2 * inputs.count(name) > len(rows)), "text")
    if (only := INPUT_FORMS[most].kind) is not None:
        return only, []
    answer = "label" if first is None else _answer([row for row in rows if row.label is not None])
    kind = kind_of(most, answer)
    if kind is None:
        assert first is not None
        raise first.error(
            "pairs of texts with lists of labels are not built yet",
            first.rows[0],
            remedy="join the two texts yourself in 'text'",
        )
    note = LABEL_FORMS[answer].note
    return kind, [note.format(kind)] if note else []


def check_kind(tables: Mapping[str, Table], kind: str, labelled: tuple[str, ...]) -> None:
    """Raise `DataError` at the first row that is not an example of `kind`; unlabelled rows need no fitting label."""
    for split, table in tables.items():
        for row in table.rows:
            shown = row if split in labelled else Row(row.line, row.text, row.pair, words=row.words)
            if found := mismatch(shown, kind):
                raise table.error(found[0], row, remedy=found[1])


def _answer(rows: list[Row]) -> str:
    if 2 * sum(isinstance(row.label, tuple) for row in rows) > len(rows):
        return "labels"
    values = [row.label for row in rows if row.label is not None and not isinstance(row.label, tuple)]
    fractions = sum(bool(_FRACTION.fullmatch(str(value))) for value in values)
    numbers = sum(as_score(value) is not None for value in values)
    # A single word among thousands of scores is an error in the data, reported as such, not another kind of task.
    return "score" if fractions and 2 * numbers > len(values) else "label"
