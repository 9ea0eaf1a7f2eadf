"""A further column of the files of a data set, such as the author of each text, by which rows are grouped."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

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
        values = {line: str(record[column]) for line, record in records if record.get(column) not in (None, "")}
        if not values and split != "unlabelled":
            raise _missing(column, list(dict.fromkeys(key for _, record in records for key in record)), path)
        found[split] = values
    return found


def _missing(column: str, names: list[str], path: Path) -> DataError:
    near = difflib.get_close_matches(column, names, n=1)
    there = f"; there are {', '.join(map(repr, names))}" if names else ""
    return DataError(
        f"no row has a value in a column {column!r}{there}", path=path, line=1,
        remedy=f"say --group {near[0]}" if near else "name a column that every split has, or leave --group out",
    )  # fmt: skip
