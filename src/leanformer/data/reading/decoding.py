"""Lines of a UTF-8 file with their numbers, and the exact place of the first invalid byte."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from leanformer.data.reading.encodings import lines_by_encoding, other_kind, utf16_without_mark, western_code_page
from leanformer.errors import DataError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JUDGED_BYTES = 2**26  # how much of a file that is not UTF-8 is used for detecting its encoding


# Number of a line, and its text or its error.
Line = tuple[int, str | DataError]


def decode_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line's number (from 1) and text, its line end included; a byte order mark is dropped.

    A file without any line feed is split at carriage returns, the line ends of some old programs.

    Raises `DataError` with line and byte offset (from 0, in the file) for bytes that are not UTF-8, and for
    NUL bytes.
    """
    for line, text in try_lines(path):
        if isinstance(text, DataError):
            raise text
        yield line, text


def try_lines(path: Path) -> Iterator[Line]:
    """As `decode_lines`, but errors take the place of invalid lines, and the lines after them are read.

    Raises `DataError` for a file that is not text at all, or in another encoding as a whole.
    """
    offset, judged = 0, False
    with open(path, "rb") as handle:
        for line, raw in enumerate(_raw_lines(handle), start=1):
            if line == 1:
                if raw.startswith(_UTF16_MARKS):
                    raise _other_encoding(path, line, "the file is UTF-16, not UTF-8 at byte offset 0", "UTF-16")
                if raw.startswith(codecs.BOM_UTF8):
                    raw = raw[len(codecs.BOM_UTF8) :]
                    offset = len(codecs.BOM_UTF8)
            text = _decoded(raw, path, line)
            if isinstance(text, DataError) and not judged:
                # The whole file is examined once, to detect what it is.
                judged = True
                if b"\0" in raw and text.problem.startswith("a NUL"):
                    text = _with_nul(path, line, offset + raw.index(b"\0"))
                else:
                    place = _first_bad(raw)
                    text = _undecodable(path, line, offset + place, raw[place])
                if text.line is None:
                    raise text
            offset += len(raw)
            yield line, text


def lines_of(handle: BinaryIO, name: str) -> Iterator[Line]:
    """Lines of a stream that can be read only once, in the form of `try_lines`."""
    for line, raw in enumerate(handle, start=1):
        yield line, _decoded(raw.removeprefix(codecs.BOM_UTF8) if line == 1 else raw, name, line)


def _decoded(raw: bytes, path: object, line: int) -> str | DataError:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if name := western_code_page(raw):
            remedy = f"convert it: iconv -f {name} -t UTF-8 (if it is not {_SHOWN[name]}, name its encoding instead)"
        else:
            remedy = "find out which encoding it is in, and convert it: iconv -f ENCODING -t UTF-8"
        return DataError(f"not UTF-8 (byte 0x{raw[error.start]:02x})", path=path, line=line, remedy=remedy)
    if "\0" in text:
        return DataError("a NUL byte", path=path, line=line, remedy="remove it: tr -d '\\000'")
    return text


def _first_bad(raw: bytes) -> int:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _raw_lines(handle: BinaryIO) -> Iterator[bytes]:
    first = handle.readline()
    if b"\n" not in first:
        yield from first.splitlines(keepends=True)
        return
    yield first
    yield from handle


def _undecodable(path: Path, line: int, place: int, byte: int) -> DataError:
    with open(path, "rb") as handle:
        data = handle.read(_JUDGED_BYTES)
    if found := other_kind(data, path.name, path.suffix):
        return DataError(f"the file is not text but {found[0]}", path=path, remedy=found[1])
    if name := utf16_without_mark(data):
        return _other_encoding(path, line, f"the file is {name}, not UTF-8", name)
    problem = f"not UTF-8 (byte 0x{byte:02x}) at byte offset {place}"
    good, bad = lines_by_encoding(data)
    if good:
        # Converting the whole file would change letters that are already correct.
        return DataError(
            f"{problem}; {good} other {'line is' if good == 1 else 'lines are'} UTF-8, {bad} not", path=path, line=line,
            remedy="convert or correct the lines that are not; the file as a whole is in no other encoding",
        )  # fmt: skip
    if name := western_code_page(data):
        return _other_encoding(path, line, problem, name, f" (if it is not {_SHOWN[name]}, name its encoding instead)")
    return DataError(
        f"{problem}; it does not read well as Latin-1 or CP1252 either", path=path, line=line,
        remedy="find out which encoding it was saved in, from the program that wrote it or by trying (CP1251, CP1250, "
        f"GB18030, SHIFT_JIS, MACINTOSH, ...), and convert it: {_conversion('ENCODING', path)}",
    )  # fmt: skip


_SHOWN = {"LATIN1": "Latin-1", "CP1252": "CP1252"}


def _with_nul(path: Path, line: int, place: int) -> DataError:
    with open(path, "rb") as handle:
        data = handle.read(_JUDGED_BYTES)
    if name := utf16_without_mark(data):
        return _other_encoding(path, line, f"the file is {name}, not UTF-8 (a NUL byte at byte offset {place})", name)
    return DataError(
        f"a NUL byte at byte offset {place}",
        path=path,
        line=line,
        remedy=f"remove it: tr -d '\\000' < {path.name} > clean{path.suffix}",
    )


def _other_encoding(path: Path, line: int, problem: str, encoding: str, unless: str = "") -> DataError:
    return DataError(problem, path=path, line=line, remedy=f"convert it: {_conversion(encoding, path)}{unless}")


def _conversion(encoding: str, path: Path) -> str:
    return f"iconv -f {encoding} -t UTF-8 {path.name} > utf8{path.suffix}"
