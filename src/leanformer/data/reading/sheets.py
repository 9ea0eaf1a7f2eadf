"""Content of files before their labels are interpreted: records with their lines, settled together for all splits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leanformer.data.label_forms import of_words
from leanformer.data.reading.conll import TAG_KEYS, WORD_KEYS, build_sentence
from leanformer.data.reading.input_forms import PAIR_NAMES, form_of_kind
from leanformer.data.reading.rows import build_row
from leanformer.data.row import Row, Table
from leanformer.errors import DataError
from leanformer.tagging.words import as_sentence

Record = dict[str, Any]
TEXT_NAMES = frozenset({"text", "text_pair", *(name for pair in PAIR_NAMES for name in pair)})
_READ = TEXT_NAMES | {"label", "labels", *WORD_KEYS}
_IDENTIFIER = re.compile(
    r"|id|idx|index|row|number|nr|guid|uuid|uid|unnamed: \d+|.*[_\- ]id|id[_\- ].*|(?-i:.*[a-z]Id)", re.IGNORECASE
)
_FEW = 3


@dataclass
class Sheet:
    """One file or one split of a hub data set.

    Attributes:
        where: the file's path, or the name of the hub data set and its split.
        records: line (for hub data sets the row, from 1) and values, in order; their labels may have any form.
        rows: rows that need no further processing, of files that contain only words and tags, or only texts.
        labelled: whether labels are needed; those of an unlabelled split are not.
        is_table: whether it has columns, so that an empty cell means that there is no value.
        is_file: whether lines are lines of a file.
        notes: sentences on how it was read.
        hint: what may have to be done if rows have no label; "" if nothing is known.
    """

    where: str
    records: list[tuple[int, Record]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    labelled: bool = True
    is_table: bool = False
    is_file: bool = True
    notes: list[str] = field(default_factory=list)
    hint: str = ""

    def place(self, line: int) -> dict[str, Any]:
        """`path` and `line` for the errors of one row."""
        return {"path": self.where, "line": line} if self.is_file else {"path": f"{self.where}, row {line}"}

    def error(self, line: int, problem: str, remedy: str) -> DataError:
        return DataError(problem, **self.place(line), remedy=remedy)

    def table(self, kind: str | None) -> Table:
        """The rows of a settled sheet, each of them validated. Raises `DataError`."""
        plain = self.rows if not of_words(kind) else [row if row.words else _in_words(row) for row in self.rows]
        rows = [*plain, *(self._row(record, kind, line) for line, record in self.records)]
        return Table(
            where=self.where, rows=rows, is_file=self.is_file, notes=tuple(self.notes), hint=self.hint,
            others=annotation_columns([record for _, record in self.records]),
        )  # fmt: skip

    def _row(self, record: Record, kind: str | None, line: int) -> Row:
        if self.labelled:
            return as_row(record, kind, self, line)
        row = as_row(without_labels(record, kind), kind, self, line)
        return replace(row, label="given, but not looked at") if _has_label(record) else row


def rows_of(sheets: Sequence[Sheet]) -> list[tuple[Sheet, int, Record]]:
    """The records of all sheets, each with its sheet and line."""
    return [(sheet, line, record) for sheet in sheets for line, record in sheet.records]


def as_row(record: Record, kind: str | None, sheet: Sheet, line: int) -> Row:
    place = sheet.place(line)
    """One record as a row, whose labels are settled. Raises `DataError`."""
    if of_words(kind) or (kind is None and has_words(record)):
        return build_sentence(record, path=place["path"], line=place.get("line"))
    return build_row(record, kind, path=place["path"], line=place.get("line"), number=line)


def has_words(record: Record) -> bool:
    """Whether a record is a sentence given as a list of words."""
    return "words" in record or ("text" not in record and isinstance(record.get("tokens"), list))


def _in_words(row: Row) -> Row:
    return replace(row, text=as_sentence(row.text.strip()).joined, words=True)


def annotation_columns(records: Sequence[Record]) -> tuple[str, ...]:
    """Names of further keys whose values may be labels: lists, objects, truth values, or values that recur."""
    values: dict[str, list[Any]] = {}
    for record in records:
        for key, value in record.items():
            if key not in _READ and not is_identifier(key) and value not in (None, "", []):
                values.setdefault(key, []).append(value)
    return tuple(key for key, found in values.items() if _may_be_labels(found))


def _may_be_labels(found: Sequence[Any]) -> bool:
    if any(isinstance(value, list | dict | bool) for value in found):
        return True
    return len(found) <= _FEW or 2 * len(set(map(str, found))) <= len(found) + 1


def is_identifier(name: str) -> bool:
    """Whether a column's name says that it numbers the rows."""
    return _IDENTIFIER.fullmatch(name.strip()) is not None


def without_labels(record: Record, kind: str | None) -> Record:
    """The record, of this kind of task, without its labels, tags or answers."""
    others = form_of_kind(kind).answer_keys
    return {key: value for key, value in record.items() if key not in ("label", "labels", *TAG_KEYS, *others)}


def _has_label(record: Record) -> bool:
    return any(record.get(key) is not None and bool(str(record[key]).strip()) for key in ("label", *TAG_KEYS))
