"""Safe parsing of JSON from any source: accepted values read the same in other programs, and cannot do harm.

Refused are files that are too large, nesting too deep for Python, non-finite numbers (`NaN`, `Infinity`), numbers too
large for a float, and halves of surrogate pairs, which can be neither printed nor written.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

MOST_BYTES = 256 << 20
_HALVES = re.compile("[\ud800-\udfff]")
# How half of a pair is written in plain ASCII.
_WRITTEN_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(path: Path, *, most_bytes: int = MOST_BYTES) -> Any:
    """The value in the file. Raises `ValueError` for JSON that is not accepted, `OSError` for an unreadable file."""
    return parse_json(read_bounded(path, most_bytes))


def read_bounded(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The file's bytes. Raises `ValueError` if there are more than `most_bytes`."""
    with open(path, "rb") as handle:
        content = handle.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it has more than {most_bytes:,} bytes")
    return content


def parse_json(content: bytes) -> Any:
    """The value encoded by the bytes. Raises `ValueError` for JSON that is not accepted."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _WRITTEN_HALF.search(content) and (half := _first_half(value)) is not None:
        raise ValueError(f"half of a surrogate pair in {half!r:.60}")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(written: str) -> float:
    value = float(written)
    if math.isinf(value):
        raise ValueError(f"the number {written:.40} is too large")
    return value


def _first_half(value: Any) -> str | None:
    """The first string, names included, with half of a surrogate pair."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if _HALVES.search(part):
                return part
        elif isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
    return None
