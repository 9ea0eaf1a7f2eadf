"""Raw text to pre-train on: a file, or all files of a folder."""

from __future__ import annotations

from pathlib import Path

from leanformer.data.reading.readers import EXTENSIONS, iterate_rows
from leanformer.errors import DataError


def read_texts(path: Path) -> tuple[str, ...]:
    """The different texts of a file (see `readers.read_rows`), or of all such files directly in a folder.

    Labels are ignored; both texts of a pair are texts. Raises `DataError` for a file that cannot be read, and for a
    folder without any.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS and file.is_file())
        if not files:
            raise DataError(
                "no file of texts in this folder",
                path=path,
                remedy="add .txt files with a text a line, or .jsonl files",
            )
    rows = (row for file in files for row in iterate_rows(file))
    return tuple(
        dict.fromkeys(
            text for row in rows for text in (row.text, *((row.pair,) if isinstance(row.pair, str) else row.pair or ()))
        )
    )
