"""Further columns of the files of a data set: one by which rows are grouped, such as the author, and the language."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leanformer.data.reading.conll import LANGUAGE_KEYS
from leanformer.data.reading.decoding import decode_lines
from leanformer.data.reading.locate import find_splits
from leanformer.data.reading.readers import missing_path, read_sheet
from leanformer.errors import DataError


def read_groups(
    source: str | Path, column: str, *, splits: Mapping[str, str] | None = None, kind: str | None = None
) -> dict[str, dict[int, str]]:
    """The values of `column` (of JSON Lines: a key) in the files of a folder: split -> line -> value.

    Rows without a value are left out. `splits` and `kind` are as for `open_dataset`.

    Raises `DataError` for anything but a folder of split files, and for a split whose file has no such column.
    """
    folder = Path(source)
    if not str(source).startswith("hub:") and not folder.exists():
        raise missing_path(folder)
    if not folder.is_dir():
        raise DataError(
            "groups are compared between the splits of a folder", path=source,
            remedy="give a folder with train and test files, or leave --group out",
        )  # fmt: skip
    found: dict[str, dict[int, str]] = {}
    for split, path in find_splits(folder, splits, kind).items():
        records = read_sheet(path, kind, tagged=split != "unlabelled").records
        values = _values(records, column)
        if not values and split != "unlabelled":
            raise _missing(column, list(dict.fromkeys(key for _, record in records for key in record)), path)
        found[split] = values
    return found


def read_languages(
    source: str | Path, *, splits: Mapping[str, str] | None = None, kind: str | None = None
) -> dict[str, dict[int, str]]:
    """The languages that a column of the files of a folder gives (`language` or `lang`): split -> line -> language.

    Splits without such a column are left out, and all of them for anything but a folder of split files.
    """
    folder = Path(source)
    found: dict[str, dict[int, str]] = {}
    for split, path in find_splits(folder, splits, kind).items() if folder.is_dir() else ():
        # A header, or the keys of the first row; only then the whole file is read a second time.
        first = next((text for _, text in decode_lines(path) if text.strip()), "")
        if keys := [key for key in LANGUAGE_KEYS if key in first]:
            records = read_sheet(path, kind, tagged=split != "unlabelled").records
            if given := [values for key in keys if (values := _values(records, key))]:
                found[split] = given[0]
    return found


def _values(records: Sequence[tuple[int, Mapping[str, Any]]], column: str) -> dict[int, str]:
    return {line: str(record[column]) for line, record in records if record.get(column) not in (None, "")}


def _missing(column: str, names: list[str], path: Path) -> DataError:
    near = difflib.get_close_matches(column, names, n=1)
    there = f"; there are {', '.join(map(repr, names))}" if names else ""
    return DataError(
        f"no row has a value in a column {column!r}{there}", path=path, line=1,
        remedy=f"say --group {shlex.quote(near[0])}" if near
        else "name a column that every split has, or leave --group out",
    )  # fmt: skip
