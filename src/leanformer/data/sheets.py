"""What files hold before their labels are understood: records with their lines, which all splits settle together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leanformer.data.conll import TAG_KEYS, build_sentence
from leanformer.data.rows import LABEL_SEPARATOR, Row, Table, build_row
from leanformer.errors import DataError

Record = dict[str, Any]


@dataclass
class Sheet:
    """One file or one split of a hub data set.

    Attributes:
        where: the file's path, or the name of the hub data set and its split.
        records: line (of hub data sets the row, from 1) and values, in order; their labels may be of any form.
        rows: rows that need no more looking at, of files that hold nothing but words and tags, or texts.
        labelled: whether the labels are asked for; those of an unlabelled split are not.
        is_table: whether it has columns, so that an empty cell is how it says that there is nothing.
        is_file: whether lines are lines of a file.
        notes: sentences on how it was read.
    """

    where: str
    records: list[tuple[int, Record]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    labelled: bool = True
    is_table: bool = False
    is_file: bool = True
    notes: list[str] = field(default_factory=list)

    def place(self, line: int) -> dict[str, Any]:
        """`path` and `line` for the errors of one row."""
        return {"path": self.where, "line": line} if self.is_file else {"path": f"{self.where}, row {line}"}

    def error(self, line: int, problem: str, remedy: str) -> DataError:
        return DataError(problem, **self.place(line), remedy=remedy)

    def table(self, kind: str | None) -> Table:
        """The rows of a sheet that is settled, each one checked. Raises `DataError`."""
        rows = [*self.rows, *(self._row(record, kind, line) for line, record in self.records)]
        return Table(where=self.where, rows=rows, is_file=self.is_file, notes=tuple(self.notes))

    def _row(self, record: Record, kind: str | None, line: int) -> Row:
        if self.labelled:
            return as_row(record, kind, self, line)
        row = as_row(without_labels(record), kind, self, line)
        return replace(row, label="given, but not looked at") if _has_label(record) else row


def as_row(record: Record, kind: str | None, sheet: Sheet, line: int) -> Row:
    place = sheet.place(line)
    if kind == "tokens" or (kind is None and "words" in record):
        return build_sentence(record, path=place["path"], line=place.get("line"))
    return build_row(record, kind, path=place["path"], line=place.get("line"), number=line)


def without_labels(record: Record) -> Record:
    """The record without what it says of labels or tags."""
    return {key: value for key, value in record.items() if key not in ("label", "labels", *TAG_KEYS)}


def _has_label(record: Record) -> bool:
    return any(record.get(key) is not None and bool(str(record[key]).strip()) for key in ("label", *TAG_KEYS))


def settle(sheets: Sequence[Sheet], kind: str | None) -> None:
    """Bring the labels of all sheets of a data set into the form that `as_row` reads."""
    labelled = [sheet for sheet in sheets if sheet.labelled]
    for sheet in labelled:
        for _, record in sheet.records:
            # A table has no null: an empty cell is how it says that there is no label.
            if isinstance(record.get("label"), str) and not record["label"].strip() and sheet.is_table:
                record["label"] = None
    _split_labels(labelled, kind)


def _split_labels(sheets: Sequence[Sheet], kind: str | None) -> None:
    """Turn the cells of `labels` into lists, unless it is a `label` by another name: no cell has several."""
    records = [record for sheet in sheets for _, record in sheet.records if isinstance(record.get("labels"), str)]
    if kind == "multilabel" or any(LABEL_SEPARATOR in record["labels"] for record in records):
        for record in records:
            # A table has no empty list: an empty cell is how it says that none applies.
            cell = record["labels"].strip()
            record["labels"] = [name.strip() for name in cell.split(LABEL_SEPARATOR)] if cell else []
