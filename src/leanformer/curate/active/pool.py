"""Reading the pool of unlabelled rows, and rounds of rows that were chosen from it and labelled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.data.label_forms import index_labels, sort_names
from leanformer.data.overlap import normalise_all
from leanformer.data.reading.kinds import check_kind, detect_kind
from leanformer.data.reading.readers import read_sheet
from leanformer.data.reading.settling import settle
from leanformer.data.row import Row, Table
from leanformer.errors import DataError, LeanformerError
from leanformer.task import Task, Text


@dataclass(frozen=True)
class Pool:
    """The rows of a file, in order.

    Attributes:
        path: the file. kind: of the task. inputs: their texts, or pairs. lines: their lines.
        keys: their normalised texts. records: line -> the other columns of the row, if the file has any.
    """

    path: str
    kind: str
    inputs: tuple[Text, ...]
    lines: tuple[int, ...]
    keys: tuple[str, ...]
    records: Mapping[int, Mapping[str, Any]]

    def costs(self, column: str | None) -> list[float]:
        """The cost of labelling each row: a column of numbers, such as seconds; without one, its number of words.

        Raises `DataError` at the first row without a number.
        """
        if column is None:
            return [float(len(key.split())) for key in self.keys]
        return [self._cost(column, line) for line in self.lines]

    def _cost(self, column: str, line: int) -> float:
        try:
            value = float(self.records[line][column])
        except (KeyError, TypeError, ValueError):
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise DataError(
                f"no cost in a column {column!r}", path=self.path, line=line,
                remedy="write a number, 0 or more, in every row, or leave --cost out to count words",
            )  # fmt: skip
        return value


@dataclass(frozen=True)
class Round:
    """The labelled rows of a round.

    Attributes:
        inputs, keys: texts, and normalised texts. names: the labels.
        audited: of the rows drawn for the audit, whether the model had predicted the label; chosen: of the others.
        unanswered: the number of rows without a label.
        table: all labelled rows, for errors that name the line.
    """

    inputs: tuple[Text, ...]
    keys: tuple[str, ...]
    names: tuple[str, ...]
    audited: tuple[bool, ...]
    chosen: tuple[bool, ...]
    unanswered: int
    table: Table

    def labels(self, task: Task) -> tuple[Any, ...]:
        """The labels as indices into those of the task. Raises `DataError` for one that is not among them."""
        try:
            return index_labels(self.table, task)
        except DataError as error:
            raise DataError(
                error.problem, path=error.path, line=error.line,
                remedy="correct it, or if the label is new, add a row with it to train of --data",
            ) from None  # fmt: skip


def read_pool(path: Path, kind: str | None = None) -> Pool:
    """The rows of a pool: texts, one per line, or JSON Lines or a table; labels are not looked at.

    Raises `DataError` for a file that cannot be read, is empty, or has a row without a text.
    """
    table, kind, records = _read(path, kind)
    inputs = _inputs(table.rows)
    lines = tuple(row.line for row in table.rows)
    return Pool(str(path), kind, inputs, lines, tuple(normalise_all(inputs)), records)


def read_round(path: Path, kind: str) -> Round:
    """The rows of a round, as `leanformer label` wrote them, with labels filled in.

    Raises `DataError` likewise, and if no row has a label.
    """
    table, kind, records = _read(path, kind, labelled=True)
    rows = [row for row in table.rows if row.label is not None]
    if not rows:
        raise DataError(
            "no row has a label yet", path=path, line=table.rows[0].line,
            remedy='write the label of each row in place of null: "label": "NAME"',
        )  # fmt: skip
    inputs = _inputs(rows)
    known = [(records.get(row.line, {}), str(row.label)) for row in rows]
    right = [
        (record.get("audit") is True, str(record["predicted"]) == name)
        for record, name in known
        if record.get("predicted") is not None
    ]
    return Round(
        inputs, tuple(normalise_all(inputs)), tuple(name for _, name in known),
        tuple(hit for audit, hit in right if audit), tuple(hit for audit, hit in right if not audit),
        len(table.rows) - len(rows), Table(table.where, rows),
    )  # fmt: skip


def task_of(kind: str, rounds: Sequence[Round]) -> Task:
    """The task where there is no data set: the labels are those of the rounds. Raises as `check_task`."""
    task = Task(kind, sort_names({name for labelled in rounds for name in labelled.names}))
    check_task(task)
    return task


def check_task(task: Task) -> None:
    """Raise `LeanformerError` unless each text has one label of several."""
    if not form_of(task).exclusive:
        raise LeanformerError(
            f"rows are chosen for tasks with one label per text, and these are of kind {task.kind!r}\n"
            "  remedy: label rows drawn at random: shuf -n 50 FILE"
        )


def _inputs(rows: Sequence[Row]) -> tuple[Text, ...]:
    return tuple(row.text if row.pair is None else (row.text, row.pair) for row in rows)  # type: ignore[misc]


def _read(path: Path, kind: str | None, labelled: bool = False) -> tuple[Table, str, dict[int, dict[str, Any]]]:
    sheet = read_sheet(path, kind, tagged=labelled)
    records = {line: dict(record) for line, record in sheet.records}
    table = sheet.table(settle([sheet], kind).kind)
    kind = kind or detect_kind({"unlabelled": table}, ())[0]
    check_kind({"train" if labelled else "unlabelled": table}, kind, ("train",))
    return table, kind, records
