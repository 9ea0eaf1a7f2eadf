"""Whether the quotes of a table enclose fields or are letters, and whether a quote has swallowed rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_NEEDS_QUOTES = '\t\r\n"'
_EXCEL_NEEDS_QUOTES = _NEEDS_QUOTES + ","  # "Text (tab delimited)" quotes fields with commas, too
_FEW = 2
_FIELD_LIMIT = 2**31 - 1  # characters; the largest that a C long holds on every platform


@contextmanager
def long_fields() -> Iterator[None]:
    """Let `csv` read fields of any length; the process-wide limit is restored afterwards."""
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def tsv_quotes_enclose(lines: Sequence[str]) -> bool:
    """Whether the quotes of a tab-separated file enclose fields, as programs write them; otherwise they are letters.

    They enclose fields if every name in the header is quoted; or if exactly those fields are quoted that a program
    (pandas, Excel) would quote, and no quoted field spans lines that are complete rows, as happens if one text begins
    with a quote and a later one ends with one.
    """
    lines = [line for line in lines if line.strip()]
    if not lines or not any('"' in line for line in lines):
        return False
    try:
        with long_fields():
            rows = list(csv.reader(lines, delimiter="\t", strict=True))
    except csv.Error:
        return False
    names = lines[0].rstrip("\r\n").split("\t")
    if all(_is_enclosed(name) for name in names):
        return True
    if not (_as_written(lines, rows, _NEEDS_QUOTES) or _as_by_excel(lines, rows)):
        return False
    spanning = any(mark in cell for row in rows for cell in row for mark in "\t\n")
    return not (spanning and all(line.count("\t") == len(names) - 1 for line in lines))


def _as_by_excel(lines: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    commas = sum("," in cell for row in rows for cell in row)
    return commas >= _FEW and _as_written(lines, rows, _EXCEL_NEEDS_QUOTES)


def _as_written(lines: Sequence[str], rows: Sequence[Sequence[str]], needing: str) -> bool:
    """Whether a program that quotes cells containing one of `needing` would write exactly these lines."""

    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in needing) else cell

    text = "\n".join("\t".join(map(written, row)) for row in rows)
    return text.replace("\r\n", "\n") == "".join(lines).replace("\r\n", "\n").rstrip("\n")


def tsv_quotes_note(lines: Sequence[str], name: str, stem: str, *, enclose: bool) -> str:
    """A note on the quotes in a .tsv file; "" if there is nothing to note."""
    enclosed = sum(any(map(_is_enclosed, line.rstrip("\r\n").split("\t"))) for line in lines)
    if enclose:
        return f"{name}: quotes around a field are no part of it, for the file is written so throughout"
    if enclosed >= _FEW and 2 * enclosed >= sum(bool(line.strip()) for line in lines):
        return (
            f"{name}: in a .tsv file a quote is a letter, and {enclosed} lines have a field in quotes; if these only "
            f"enclose the fields, rename it to {stem}.csv, which may be separated by tabs, too"
        )
    return ""


def _is_enclosed(field: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == '"'


def swallowed_rows(raw: Sequence[str], separator: str, column: int, columns: int, known: set[str]) -> int:
    """How many of the lines spanned by one row look like separate rows; 0 unless all of them do.

    A line looks like a row if it has as many fields as the header, or a label of other rows (one of `known`) in its
    `column`; at least one must have such a label. The line with the row's own label does not count.
    """
    first_column = column == 0
    lines = [line.rstrip("\r\n") for line in (raw[1:] if first_column else raw[:-1]) if line.strip()]
    labelled = 0
    for line in lines:
        fields = line.split(separator)
        if first_column or column == columns - 1:
            label = fields[0 if first_column else -1] if len(fields) > 1 else ""
        else:
            label = fields[column] if len(fields) == columns else ""
        is_known = label.strip().strip('"') in known
        if not is_known and len(fields) != columns:
            return 0
        labelled += is_known
    return len(lines) if labelled else 0
