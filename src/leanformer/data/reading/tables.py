"""Tables in the variants that programs write: field separators, quotes and padding."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leanformer.data.reading.decoding import decode_lines
from leanformer.data.reading.fields import suggest_name
from leanformer.data.reading.input_forms import form_of_kind, lacking_columns
from leanformer.data.reading.quoting import long_fields, swallowed_rows, tsv_quotes_enclose, tsv_quotes_note
from leanformer.errors import DataError

_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # spreadsheets declare their separator this way


@dataclass
class RawTable:
    """A table's header and its rows.

    Attributes:
        header: the names, white space around them removed.
        line: the header's line.
        rows: last line, and value of each column.
        notes: sentences on how the file was read.
    """

    header: list[str]
    line: int
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_table(path: Path, check_header: Callable[[list[str], int], None]) -> RawTable | None:
    """Read a .csv or .tsv file; None if it is empty.

    Fields are separated by commas (.csv) or tabs (.tsv), or as shown by the header or a line "sep=;". In .csv fields
    may be quoted, and quoted fields may span lines; in .tsv a quote is a letter, unless the whole file is written as
    programs write quoted fields (`quoting.tsv_quotes_enclose`). Blank lines and rows with only empty cells are skipped,
    the latter counted in a note. `check_header` is called with the names and their line before any row is read.

    Raises `DataError` for rows that do not match the header, for quotes that are not closed, and for a quote whose
    closing quote is so far away that it has swallowed other rows.
    """
    lines = [(number, text) for number, text in decode_lines(path)]
    notes = []
    default = "," if path.suffix.lower() == ".csv" else "\t"
    start = next((i for i, (_, text) in enumerate(lines) if text.strip()), None)
    if start is None:
        return None
    lines = lines[start:]
    separator, header_follows = separator_of(lines[0][1], default)
    if header_follows:
        lines = [line for i, line in enumerate(lines) if i > 0]
        if not lines:
            return None
    if separator != default:
        notes.append(f"{path.name}: the fields are separated by {_SEPARATORS.get(separator, repr(separator))}")
    letters = False
    if path.suffix.lower() == ".tsv" and separator == "\t":
        texts = [text for _, text in lines]
        letters = not tsv_quotes_enclose(texts)
        if note := tsv_quotes_note(texts, path.name, path.stem, enclose=not letters):
            notes.append(note)
    return _collect(lines, separator, letters, path, notes, check_header)


def separator_of(line: str, default: str) -> tuple[str, bool]:
    """The field separator, from the first line of a table, and whether the header comes after that line."""
    said = _SEP_LINE.fullmatch(line)
    return (said[1], True) if said else (_separator(line, default), False)


def _separator(line: str, default: str) -> str:
    """The separator of the header: the one with which it contains an expected name."""
    candidates = {mark: _names(line, mark) for mark in (default, *_SEPARATORS)}
    several = {mark: names for mark, names in candidates.items() if mark == default or len(names) > 1}
    for mark, names in several.items():
        if not lacking_columns(names, form_of_kind(None)):
            return mark
    for mark, names in several.items():
        if suggest_name(tuple(names), "text"):
            return mark
    if len(candidates[default]) > 1:
        return default
    return next((mark for mark in several if mark != default), default)


def _names(line: str, separator: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]


def _collect(
    lines: Sequence[tuple[int, str]], separator: str, letters: bool, path: Path, notes: list[str],
    check_header: Callable[[list[str], int], None],
) -> RawTable | None:  # fmt: skip
    table: RawTable | None = None
    padding = 0
    several_lines: list[tuple[int, int, list[str]]] = []
    for first, last, fields, raw in (_split if letters else _parse)(lines, separator, path):
        if not any(cell.strip() for cell in fields):
            padding += bool(raw[0].strip())
            continue
        if table is None:
            table = RawTable([name.strip() for name in fields], last, notes=notes)
            check_header(table.header, last)
            continue
        # Some programs write more separators than there are columns, without values after them.
        while len(fields) > len(table.header) and not fields[-1].strip():
            fields = fields[:-1]
        if len(fields) != len(table.header):
            raise DataError(
                f"the row has {len(fields)} fields, but the header has {len(table.header)} ({', '.join(table.header)})"
                + _begun(first, last),
                path=path, line=last,
                remedy="a field of a .tsv file can hold no tab and no line end; write it as .csv or JSON Lines"
                if letters else "quote fields that hold a comma, a tab or a line end",
            )  # fmt: skip
        table.rows.append((last, dict(zip(table.header, fields, strict=True))))
        if len(raw) > 1:
            several_lines.append((first, last, raw))
    if table is not None:
        _check_swallowed(table, several_lines, separator, path)
        if padding:
            table.notes.append(
                f"{path.name}: {padding} {'row' if padding == 1 else 'rows'} with only empty cells skipped"
            )
    return table


def _check_swallowed(
    table: RawTable, several_lines: Sequence[tuple[int, int, list[str]]], separator: str, path: Path
) -> None:
    key = next((name for name in ("label", "labels") if name in table.header), None)
    if key is None or not several_lines:
        return
    within = {last for _, last, _ in several_lines}
    known = {str(values[key]).strip() for line, values in table.rows if line not in within}
    column = table.header.index(key)
    for first, last, raw in several_lines:
        if count := swallowed_rows(raw, separator, column, len(table.header), known):
            raise DataError(
                f"a quote that is not closed before line {last}; the field swallows what looks like "
                f"{'a row' if count == 1 else f'{count} rows'}",
                path=path, line=first,
                remedy='enclose a field that begins with a quote in quotes and write its own twice ("""so), or use '
                "JSON Lines",
            )  # fmt: skip


_Parsed = Iterator[tuple[int, int, list[str], list[str]]]


def _split(lines: Sequence[tuple[int, str]], separator: str, path: Path) -> _Parsed:
    for number, text in lines:
        yield number, number, text.rstrip("\r\n").split(separator), [text]


def _parse(lines: Sequence[tuple[int, str]], separator: str, path: Path) -> _Parsed:
    """First and last line, fields and lines of each row."""
    # Strict, because otherwise a stray quote silently merges several rows into one.
    reader = csv.reader((text for _, text in lines), delimiter=separator, strict=True)
    with long_fields():
        while True:
            begun = reader.line_num
            try:
                fields = next(reader, None)
            except csv.Error as error:
                raise _not_a_table(error, lines[begun][0], lines[reader.line_num - 1][0], path) from error
            if fields is None:
                return
            raw = [text for _, text in lines[begun : reader.line_num]]
            yield lines[begun][0], lines[reader.line_num - 1][0], fields, raw


def _not_a_table(error: csv.Error, first: int, last: int, path: Path) -> DataError:
    if "end of data" in str(error):
        return DataError(
            "not a valid table: a quote in the row that begins here is never closed", path=path, line=first,
            remedy='enclose a field that begins with a quote in quotes and write its own twice ("""so), or use '
            "JSON Lines",
        )  # fmt: skip
    if "new-line character" in str(error):
        return DataError(
            "not a valid table: a carriage return inside a field", path=path, line=last,
            remedy="quote the field that holds it, or use JSON Lines",
        )  # fmt: skip
    return DataError(
        f"not a valid table: {error}{_begun(first, last)}", path=path, line=last,
        remedy='enclose a field that holds a quote in quotes and write its own twice (""), or use JSON Lines',
    )  # fmt: skip


def _begun(first: int, last: int) -> str:
    return "" if first >= last else f" (in the row that begins at line {first}, perhaps with a stray quote)"
