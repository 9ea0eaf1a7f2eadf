"""Reading JSON Lines, CSV, TSV and plain text, with an error that names file and line for whatever is wrong."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from leanformer.data.conll import build_sentence, read_columns, read_lines
from leanformer.data.decoding import decode_lines
from leanformer.data.rows import LABEL_SEPARATOR, PAIR_NAMES, Row, build_row, missing_column
from leanformer.errors import DataError
from leanformer.tagging.schemes import is_tag
from leanformer.tagging.words import words_of
from leanformer.task import BUILT

EXTENSIONS = (".jsonl", ".csv", ".tsv", ".txt", ".conll")
_CSV_FIELD_LIMIT = 2**31 - 1  # characters; the largest that a C long holds on every platform


def read_rows(path: Path | str, kind: str | None = None, *, tagged: bool = True) -> list[Row]:
    """Read the rows of one file; the extension says the format.

    `.jsonl`: one object a line, with `text` and, where known, `label`. `.csv` and `.tsv`: a header with the
    same names; fields may be quoted, and quoted ones may span lines. `.txt`: one unlabelled text a line.
    All are UTF-8, with or without a byte order mark; blank lines are skipped, other keys are ignored. Pairs of
    texts have a `text_pair` as well (or both of another well-known pair of names, see `rows.PAIR_NAMES`). Any number
    of labels stands under `labels`: a list, or in a table names with "|" between them. With a `kind` every row must
    be an example of it. Words with tags are columns (`.conll`; for the kind "tokens" `.tsv` and `.txt` too, the latter
    one sentence a line where they are not `tagged`) or lists in `.jsonl` (see `data.conll`).

    Raises `DataError` for a missing file, an unknown extension, and anything in the file that is not as above.
    """
    return list(iterate_rows(path, kind, tagged=tagged))


def iterate_rows(path: Path | str, kind: str | None = None, *, tagged: bool = True) -> Iterator[Row]:
    """The rows of `read_rows` one by one, and its errors where they stand; only tables are held in memory whole."""
    path = Path(path)
    extension = path.suffix.lower()
    if not path.exists():
        raise missing_path(path)
    if path.is_dir():
        raise DataError("a folder, not a file", path=path, remedy="name a file in it")
    if extension not in EXTENSIONS:
        raise DataError(
            f"unknown extension {path.suffix!r}; {', '.join(EXTENSIONS)} can be read",
            path=path,
            remedy='convert it to JSON Lines: one {"text": ..., "label": ...} a line, in a .jsonl file',
        )
    empty = True
    try:
        if extension == ".conll" or (kind == "tokens" and (extension == ".tsv" or (extension == ".txt" and tagged))):
            rows = read_columns(path)
        elif extension == ".txt" and kind == "tokens":
            rows = read_lines(path)
        elif extension == ".jsonl":
            rows = _read_json_lines(path, kind)
        elif extension == ".txt":
            rows = _read_text_lines(path, kind)
        else:
            rows = iter(_read_table(path, kind, delimiter="," if extension == ".csv" else "\t"))
        for row in rows:
            empty = False
            yield row
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path, remedy="check its permissions") from error
    if empty:
        raise DataError("the file holds no examples", path=path, remedy="add examples, or remove the file")


def missing_path(path: Path) -> DataError:
    """The error for a path that is not there: names what is, close matches first."""
    parent = path.parent
    while not parent.exists():
        path, parent = parent, parent.parent
    beside = sorted(one.name for one in islice(parent.iterdir(), 1000)) if parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=3)
    if near:
        return DataError("no such file or folder", path=path, remedy=f"did you mean {' or '.join(near)}?")
    there = ", ".join(beside[:10]) + (", ..." if len(beside) > 10 else "") if beside else "nothing"
    return DataError(f"no such file or folder; beside it there is {there}", path=path, remedy="check the path")


def read_questions(path: Path) -> Iterator[str | list[str]]:
    """What a model that tags words is asked in a file: texts as they are written, or lists of words; `DataError`."""
    extension = path.suffix.lower()
    if not path.exists():
        raise missing_path(path)
    if extension == ".txt":
        yield from (text.rstrip("\r\n") for _, text in decode_lines(path) if text.strip())
    elif extension == ".jsonl":
        for line, record in _read_records(path):
            row = build_sentence(record, path=path, line=line)
            yield record["text"] if isinstance(record.get("text"), str) else words_of(row.text)
    else:
        yield from (words_of(row.text) for row in iterate_rows(path, "tokens"))


def _read_json_lines(path: Path, kind: str | None) -> Iterator[Row]:
    for line, record in _read_records(path):
        if kind == "tokens" or (kind is None and "words" in record):
            yield build_sentence(record, path=path, line=line)
        else:
            yield build_row(record, kind, path=path, line=line)


def _read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in decode_lines(path):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"not valid JSON: {error.msg}, column {error.colno}",
                path=path,
                line=line,
                remedy="write one JSON object a line",
            ) from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"not readable as JSON: {error}", path=path, line=line, remedy="simplify it") from error
        if not isinstance(record, dict):
            raise DataError(
                f"a JSON {type(record).__name__}, not an object",
                path=path,
                line=line,
                remedy='write one object a line: {"text": ..., "label": ...}',
            )
        yield line, record


def _read_text_lines(path: Path, kind: str | None) -> Iterator[Row]:
    if kind is not None and BUILT[kind].pairs:
        raise DataError("a .txt file cannot hold pairs of texts", path=path, remedy="use .jsonl, .csv or .tsv")
    for line, text in decode_lines(path):
        if text.strip():
            yield build_row({"text": text.rstrip("\r\n")}, kind, path=path, line=line)


def _read_table(path: Path, kind: str | None, delimiter: str) -> list[Row]:
    # The limit is one for the whole process; whoever set it before us gets it back.
    limit = csv.field_size_limit(_CSV_FIELD_LIMIT)
    try:
        return list(_read_table_rows(path, kind, delimiter))
    finally:
        csv.field_size_limit(limit)


def _read_table_rows(path: Path, kind: str | None, delimiter: str) -> Iterator[Row]:
    # Strict, because otherwise a stray quote silently makes one row of several.
    reader = csv.reader((text for _, text in decode_lines(path)), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    records: list[tuple[int, dict[str, Any]]] = []
    while True:
        first_line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"not a valid table: {error}{_begun(first_line, reader.line_num)}",
                path=path,
                line=reader.line_num,
                remedy='write a quote inside a quoted field twice (""), or use JSON Lines',
            ) from error
        if fields is None:
            break
        if not fields:
            continue
        if header is None:
            header = _check_header(fields, kind, path, reader.line_num)
            continue
        if len(fields) != len(header):
            raise DataError(
                f"the row has {len(fields)} fields, but the header has {len(header)} ({', '.join(header)})"
                + _begun(first_line, reader.line_num),
                path=path,
                line=reader.line_num,
                remedy="quote fields that hold a comma, a tab or a line end",
            )
        record: dict[str, Any] = dict(zip(header, fields, strict=True))
        if "label" in record and not (record["label"] or "").strip():
            # A table has no null: an empty cell is how it says that there is no label.
            record["label"] = None
        records.append((reader.line_num, record))
    if header is not None and "labels" in header and "label" not in header:
        _split_labels([record for _, record in records], kind)
    for line, record in records:
        yield build_row(record, kind, path=path, line=line)


def _split_labels(records: Sequence[dict[str, Any]], kind: str | None) -> None:
    """Turn the cells of the column `labels` into lists, unless it is a `label` by another name: no cell has several."""
    if kind == "multilabel" or any(LABEL_SEPARATOR in record["labels"] for record in records):
        for record in records:
            # A table has no empty list: an empty cell is how it says that none applies.
            cell = record["labels"].strip()
            record["labels"] = [one.strip() for one in cell.split(LABEL_SEPARATOR)] if cell else []


def _begun(first_line: int, line: int) -> str:
    return "" if first_line >= line else f" (in the row that begins at line {first_line}, perhaps with a stray quote)"


def _check_header(fields: list[str], kind: str | None, path: Path, line: int) -> list[str]:
    header = [name.strip() for name in fields]
    is_known = "text" not in header and any(set(names) <= set(header) for names in PAIR_NAMES)
    for key in ("text", "text_pair") if kind is not None and BUILT[kind].pairs else ("text",):
        if key not in header and not is_known and len(header) > 1 and is_tag(header[-1]):
            raise DataError(
                f"no column {key!r}; the line ends with a tag ({header[-1]!r})", path=path, line=line,
                remedy="if these are words with their tags, say --task tokens; else give the table a header",
            )  # fmt: skip
        if key not in header and not is_known:
            raise missing_column(key, header, path=path, line=line, what="column")
    for key in ("text", "text_pair", "label", "labels", *(name for names in PAIR_NAMES for name in names)):
        if header.count(key) > 1:
            raise DataError(f"two columns are named {key!r}", path=path, line=line, remedy="rename one of them")
    return header
