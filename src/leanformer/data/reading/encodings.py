"""Detects from its bytes what a file that is not UTF-8 may be: another kind of file, UTF-16, a Western code page."""

from __future__ import annotations

import re

# First bytes -> what the file is, and how to get a readable file.
_KINDS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "open it in its program and save it as CSV, UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "open it in its program and save it as CSV, UTF-8"),
    (b"\x1f\x8b", "compressed (gzip)", "unpack it: gzip -dc {name} > unpacked{suffix}"),
    (b"PAR1", "a Parquet file", "write it as JSON Lines with pandas: to_json(..., orient='records', lines=True)"),
)
# Letters of languages written in Latin-1 and CP1252. Excluded are letters whose bytes are far more often letters of
# other code pages: eth, thorn, y acute (Turkish in CP1254), s and z caron (Czech in CP1250, u in Mac Roman).
_UPPER = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒ"
_LOWER = "ßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿœ"
_ALONE = "ÀÉÈÔÖÅØÆàéèêóòöåøæùí"  # words of one letter
_LETTER = rf"[A-Za-z{_UPPER}{_LOWER}]"
# Patterns that no text in CP1252 has; a single match is sufficient.
_IMPLAUSIBLE = re.compile(
    "|".join(
        (
            rf"[{_UPPER}{_LOWER}]{{3}}",
            rf"[a-z{_LOWER}][{_UPPER}]",
            rf"(?<!{_LETTER})(?![{_ALONE}])[{_UPPER}{_LOWER}](?!{_LETTER})",
            r"œ(?![uic])",
            # Marks between letters or on the wrong side of one; apostrophe, long dash and ellipsis are allowed there.
            rf"{_LETTER}[“”‚„†‡ˆ‰‹›•™–£¢¥§°«»¿¡®©·´½¼¾²³µ×€ªº\xa0\xad]{_LETTER}",
            rf"{_LETTER}[¿¡„‚]",
            r"(?<!\d)±(?!\s?\d)",
            rf"[{_UPPER}{_LOWER}][¢£¥§°®©´½¼¾²³µ×€ªº]|[¢£¥§°®©´½¼¾²³µ×€ªº][{_UPPER}{_LOWER}]",
            rf"[^\x00-\x7f{_UPPER}{_LOWER}“”‘’‚„†‡•…–—€™‹›‰£¢¥§°«»¿¡®©·´½¼¾²³µ×±ªº\xa0\xad]",
        )
    )
)


def other_kind(head: bytes, name: str, suffix: str) -> tuple[str, str] | None:
    """What a file beginning with `head` is, if it is not text, and the remedy."""
    for begin, what, remedy in _KINDS:
        if head.startswith(begin):
            return what, remedy.format(name=name, suffix=suffix)
    return None


def utf16_without_mark(data: bytes) -> str:
    """ "UTF-16LE" or "UTF-16BE" for such bytes without a byte order mark (every other byte is zero), otherwise ""."""
    even, odd = data[::2], data[1::2]
    if not odd or data.count(0) < 2:
        return ""
    zeros = (even.count(0) / len(even), odd.count(0) / len(odd))
    if min(zeros) > 0.02 or max(zeros) < 0.2:
        return ""
    return "UTF-16LE" if zeros[1] > zeros[0] else "UTF-16BE"


def western_code_page(data: bytes) -> str:
    """ "CP1252" or, if no byte distinguishes them, "LATIN1" for bytes that are plausible text in it, otherwise "".

    This proves nothing: the bytes of a short Polish or Hungarian text may be plausible, too.
    """
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    if _IMPLAUSIBLE.search(text):
        return ""
    return "CP1252" if any(0x80 <= byte <= 0x9F for byte in set(data)) else "LATIN1"


def lines_by_encoding(data: bytes) -> tuple[int, int]:
    """How many lines have non-ASCII characters in UTF-8, and how many are not UTF-8."""
    good = bad = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            try:
                line.decode("utf-8")
                good += 1
            except UnicodeDecodeError:
                bad += 1
    return good, bad
