"""Files of questions, read row by row: a row that cannot be read is reported in its place, and the others are answered.

No row is skipped: a blank line is a row, too, so that the n-th answer belongs to the n-th line (in a table, to the n-th
row below its header).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.bulk import Asked, check_kept
from leanformer.data.reading.conll import build_sentence
from leanformer.data.reading.decoding import Line, lines_of, try_lines
from leanformer.data.reading.input_forms import form_of_kind, without_candidates
from leanformer.data.reading.open_tables import OpenTable
from leanformer.data.reading.readers import EXTENSIONS, iterate_rows, missing_path
from leanformer.data.reading.rows import build_row
from leanformer.data.reading.sheets import without_labels
from leanformer.errors import DataError, LeanformerError
from leanformer.inputs.checks import is_empty
from leanformer.inputs.kinds import input_of
from leanformer.tagging.words import words_of
from leanformer.task import Question, Task

STANDARD_INPUT = "standard input"
ID = "id"
_Record = Mapping[str, Any]


def read_asked(path: Path, task: Task, keep: Mapping[str, str] | None = None) -> Iterator[Asked]:
    """The rows of a file, or, for "-", the lines of standard input.

    Args:
        keep: columns (of JSON Lines: keys) to copy into the answer, each with its name there. A column "id" is always
            copied.

    A row that is not a question of the task has a `DataError` as its `problem`. Raises `DataError` for errors of the
    file as a whole: missing, wrong format or encoding, empty, no column of texts, no column to keep.
    """
    keep = dict(keep or {})
    check_kept(keep.values())
    if str(path) == "-":
        if sys.stdin is None:
            raise LeanformerError("standard input is closed\n  remedy: give texts, or --input FILE")
        return _from_lines(lines_of(sys.stdin.buffer, STANDARD_INPUT), STANDARD_INPUT, task, keep)
    if not path.exists():
        raise missing_path(path)
    if path.is_dir():
        raise DataError("a folder, not a file", path=path, remedy="name a file in it")
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise DataError(
            f"unknown extension {path.suffix!r}; {', '.join(EXTENSIONS)} can be read", path=path,
            remedy='convert it to JSON Lines: one {"text": ...} a line, in a .jsonl file' if path.is_file()
            else "pass lines of text on standard input: --input -",
        )  # fmt: skip
    if extension == ".txt":
        rows = _from_lines(try_lines(path), path, task, keep)
    elif extension == ".jsonl":
        rows = _from_json(path, task, keep)
    elif extension == ".conll" or (form_of(task).per_word and extension == ".tsv"):
        rows = _from_columns(path, keep)
    else:
        rows = _from_table(path, task, keep)
    return _not_none(rows, path)


def _not_none(rows: Iterator[Asked], path: Path) -> Iterator[Asked]:
    empty = True
    try:
        for row in rows:
            empty = False
            yield row
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path, remedy="check its permissions") from error
    if empty:
        raise DataError("the file holds no texts", path=path, remedy="give a file with at least one")


def _from_lines(lines: Iterable[Line], path: object, task: Task, keep: _Record) -> Iterator[Asked]:
    if not form_of_kind(task.kind).lines:
        raise DataError(
            f"lines of text cannot hold {input_of(task).plural}", path=path, remedy="use .jsonl, .csv or .tsv"
        )
    if keep:
        raise LeanformerError(f"--keep {next(iter(keep))}: lines of text have no columns\n  remedy: use .jsonl or .csv")
    for number, text in lines:
        where = f"{path}, line {number}"
        if isinstance(text, DataError):
            yield Asked(number, None, text, where=where)
            continue
        text = text.rstrip("\r\n")
        yield Asked(number, text, _empty(text, path, number), where=where)


def _from_json(path: Path, task: Task, keep: Mapping[str, str]) -> Iterator[Asked]:
    seen: set[str] = set()
    for number, text in try_lines(path):
        record: dict[str, Any] = {}
        question, problem = None, text if isinstance(text, DataError) else None
        if isinstance(text, str):
            try:
                record = _record(text, path, number)
                question = _question(record, task, path, number)
            except DataError as error:
                problem = error
        seen |= keep.keys() & record.keys()
        kept = {name: record.get(column) for column, name in keep.items()}
        shown = _shown(record) if question is None else question
        yield Asked(number, shown, problem, _with_id(record, kept), f"{path}, line {number}")
    if missing := sorted(keep.keys() - seen):
        raise DataError(f"no row has the key {missing[0]!r} to be kept", path=path, remedy="correct --keep")


def _from_table(path: Path, task: Task, keep: Mapping[str, str]) -> Iterator[Asked]:
    table = OpenTable(path, form_of_kind(task.kind))
    if missing := [column for column in keep if column not in table.header]:
        raise DataError(
            f"no column {missing[0]!r} to be kept; the columns are {', '.join(table.header)}", path=path,
            remedy="correct --keep",
        )  # fmt: skip
    for number, (line, record) in enumerate(table, start=1):
        where = f"{path}, line {line}"
        if isinstance(record, DataError):
            yield Asked(number, None, record, where=where)
            continue
        kept = _with_id(record, {name: record[column] for column, name in keep.items()})
        try:
            question = _question(record, task, path, line)
        except DataError as error:
            yield Asked(number, _shown(record), error, kept, where)
        else:
            yield Asked(number, question, None, kept, where)


def _from_columns(path: Path, keep: Mapping[str, str]) -> Iterator[Asked]:
    """Words in columns: one row per sentence. An error in one line is an error of the file."""
    if keep:
        raise LeanformerError(f"--keep {next(iter(keep))}: {path} has words in its rows\n  remedy: use .jsonl or .csv")
    for number, row in enumerate(iterate_rows(path, "tokens"), start=1):
        yield Asked(number, words_of(row.text), where=f"{path}, line {row.line}")


def _record(text: str, path: Path, line: int) -> dict[str, Any]:
    if problem := _empty(text, path, line):
        raise problem
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not valid JSON: {error.msg}, column {error.colno}", path=path, line=line,
            remedy="write one JSON object a line",
        ) from error  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise DataError(f"not readable as JSON: {error}", path=path, line=line, remedy="simplify it") from error
    if not isinstance(record, dict):
        raise DataError(
            f"a JSON {type(record).__name__}, not an object", path=path, line=line,
            remedy='write one object a line: {"text": ...}',
        )  # fmt: skip
    return record


def _question(record: _Record, task: Task, path: Path, line: int) -> Question:
    """The question of a record, which may also have labels of any form. Raises `DataError`."""
    bare = without_labels(dict(record), task.kind)
    kind = form_of_kind(task.kind).kind
    # With candidates, the question may have another name, and the text may be empty.
    if kind is None and isinstance(bare.get("text"), str) and (problem := _empty(bare["text"], path, line)):
        raise problem
    if form_of(task).per_word:
        row = build_sentence(bare, path=path, line=line)
        return str(bare["text"]) if isinstance(bare.get("text"), str) else words_of(row.text)
    # If the task has no candidates, such columns are ordinary ones.
    row = build_row(bare if kind else without_candidates(bare), kind, path=path, line=line)
    if found := form_of_kind(task.kind).question(row.pair):
        raise DataError(found[0], path=path, line=line, remedy=found[1])
    return row.text if row.pair is None else (row.text, row.pair)  # type: ignore[return-value]


def _empty(text: str, path: object, line: int) -> DataError | None:
    if not is_empty(text):
        return None
    return DataError("an empty text", path=path, line=line, remedy="give the row a text, or remove it")


def _shown(record: _Record) -> Question | None:
    """The text of a row that cannot be answered."""
    text = record.get("text")
    return text if isinstance(text, str) else None


def _with_id(record: _Record, kept: dict[str, Any]) -> dict[str, Any]:
    return {ID: record[ID]} | kept if ID in record else kept
