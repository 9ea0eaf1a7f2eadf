"""Lines of a UTF-8 file with their numbers, and where exactly it stops being UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from leanformer.errors import DataError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line's number (from 1) and text, its line end included; a byte order mark is dropped.

    Raises `DataError` with line and byte offset (from 0, in the file) for bytes that are not UTF-8, and for
    NUL bytes.
    """
    offset = 0
    with open(path, "rb") as handle:
        for line, raw in enumerate(handle, start=1):
            if line == 1:
                if raw.startswith(_UTF16_MARKS):
                    raise _undecodable(path, line, offset, "the file is UTF-16, not UTF-8", "UTF-16")
                if raw.startswith(codecs.BOM_UTF8):
                    raw = raw[len(codecs.BOM_UTF8) :]
                    offset = len(codecs.BOM_UTF8)
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                place = offset + error.start
                byte = raw[error.start]
                raise _undecodable(path, line, place, f"not UTF-8 (byte 0x{byte:02x})", "LATIN1") from error
            if "\0" in text:
                place = offset + raw.index(b"\0")
                raise DataError(
                    f"a NUL byte at byte offset {place}",
                    path=path,
                    line=line,
                    remedy=f"remove it (tr -d '\\000' < {path.name}); UTF-16 files are full of them",
                )
            offset += len(raw)
            yield line, text


def _undecodable(path: Path, line: int, offset: int, problem: str, encoding: str) -> DataError:
    return DataError(
        f"{problem} at byte offset {offset}",
        path=path,
        line=line,
        remedy=f"convert it: iconv -f {encoding} -t UTF-8 {path.name} > utf8{path.suffix}"
        + ("" if encoding == "UTF-16" else " (if it is not Latin-1, name its encoding instead)"),
    )
