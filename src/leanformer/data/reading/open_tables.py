"""Tables of any length, read row by row; an invalid row is returned as an error in its place."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from leanformer.data.reading.decoding import Line, try_lines
from leanformer.data.reading.fields import missing_column
from leanformer.data.reading.input_forms import InputForm, lacking_columns
from leanformer.data.reading.quoting import long_fields, tsv_quotes_enclose
from leanformer.data.reading.tables import separator_of
from leanformer.errors import DataError

_QUOTES = 'enclose a field that holds a quote in quotes and write its own twice (""), or use JSON Lines'


class OpenTable:
    """A .csv or .tsv file with a header; iterating gives the line of each row with its values, or with its error.

    Separators and quotes are those of `tables.read_table`, but each row is independent: if a quote is not closed, only
    its line is lost, and reading continues with the next line. Empty rows are rows, too.

    Args:
        form: the form of the inputs in a row.

    Raises `DataError` for a file without a header that names its texts.
    """

    def __init__(self, path: Path, form: InputForm) -> None:
        self._path = path
        default = "," if path.suffix.lower() == ".csv" else "\t"
        lines: Iterator[Line] = try_lines(path)
        first = next(((line, text) for line, text in lines if not isinstance(text, str) or text.strip()), None)
        if first is None:
            raise DataError("the file holds no texts", path=path, remedy="give a file with at least one")
        if isinstance(first[1], DataError):
            raise first[1]
        separator, header_follows = separator_of(first[1], default)
        self._separator = separator
        self._source: Iterator[Line] = lines if header_follows else chain([first], lines)
        self._back: deque[Line] = deque()
        self._letters = default == separator == "\t"
        if self._letters and _has_quotes(path):
            # All lines are needed to decide whether quotes are letters.
            held = list(self._source)
            self._source = iter(held)
            self._letters = not tsv_quotes_enclose([text for _, text in held if isinstance(text, str)])
        with long_fields():
            self.header = self._read_header(form)

    def _read_header(self, form: InputForm) -> list[str]:
        found = self._next()
        if found is None:
            raise DataError("the file holds no texts", path=self._path, remedy="give a file with at least one")
        line, fields = found
        if isinstance(fields, DataError):
            raise fields
        names = [name.strip() for name in fields]
        for key in lacking_columns(names, form):
            raise missing_column(key, names, path=self._path, line=line, what="column")
        for name in names:
            if name and names.count(name) > 1:
                raise DataError(f"two columns are named {name!r}", path=self._path, line=line, remedy="rename one")
        return names

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
        while True:
            # Not around the `yield`: the limit is global to the process.
            with long_fields():
                found = self._next(len(self.header))
            if found is None:
                return
            line, fields = found
            yield line, fields if isinstance(fields, DataError) else dict(zip(self.header, fields, strict=True))

    def _next(self, columns: int | None = None) -> tuple[int, list[str] | DataError] | None:
        """First line and fields of the next row (`columns` of them, if given); None at the end."""
        taken: list[Line] = []

        def texts() -> Iterator[str]:
            while (line := self._line()) is not None:
                taken.append(line)
                if isinstance(line[1], DataError):
                    return
                yield line[1]

        try:
            if self._letters:
                fields = next((text.rstrip("\r\n").split(self._separator) for text in texts()), None)
            else:
                fields = next(csv.reader(texts(), delimiter=self._separator, strict=True), None)
        except csv.Error as error:
            never = "end of data" in str(error) or len(taken) > 1
            said = "a quote that is not closed, or stands inside a field" if never else str(error)
            return self._lost(taken, f"not a row of a table: {said}", _QUOTES)
        if taken and isinstance(taken[0][1], DataError):
            return taken[0][0], taken[0][1]
        if fields is None:
            return None if not taken else (taken[0][0], [""] * (columns or 1))
        if columns is None:
            return taken[0][0], fields
        if not fields or not any(cell.strip() for cell in fields):
            return taken[0][0], [""] * columns
        # Some programs write more separators than there are columns, without values after them.
        while len(fields) > columns and not fields[-1].strip():
            fields = fields[:-1]
        if len(fields) != columns:
            return self._lost(
                taken, f"the row has {len(fields)} fields, but the header has {columns} ({', '.join(self.header)})",
                "quote fields that hold a comma, a tab or a line end",
            )  # fmt: skip
        return taken[0][0], fields

    def _line(self) -> Line | None:
        return self._back.popleft() if self._back else next(self._source, None)

    def _lost(self, taken: list[Line], problem: str, remedy: str) -> tuple[int, DataError]:
        """Report the first line as invalid; the other lines that it consumed are read again individually."""
        self._back.extendleft(reversed(taken[1:]))
        return taken[0][0], DataError(problem, path=self._path, line=taken[0][0], remedy=remedy)


def _has_quotes(path: Path) -> bool:
    with open(path, "rb") as handle:
        return any(b'"' in block for block in iter(lambda: handle.read(1 << 20), b""))
