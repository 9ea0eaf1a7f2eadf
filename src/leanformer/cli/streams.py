"""Standard output and error of any encoding: what that has no letter for is written as an escape."""

from __future__ import annotations

import codecs
from typing import Any

_ESCAPES = "leanformer.escapes"


def write_anything(*streams: Any) -> None:
    """Let the text streams write any text, whatever their encoding: no line of ours may end a command.

    Escapes are JSON's (`\\u00e9`, surrogate pairs for what is beyond 16 bits), so that JSON stays JSON, and says the
    same, on a terminal that knows ASCII alone. Halves of surrogate pairs, as paths that are no UTF-8 have them, are
    escaped too.
    """
    codecs.register_error(_ESCAPES, _escaped)
    for stream in streams:
        if hasattr(stream, "reconfigure"):  # None where it is closed, and something else where it is captured
            stream.reconfigure(errors=_ESCAPES)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end
