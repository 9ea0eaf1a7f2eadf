"""Halves of surrogate pairs, which are no characters and cannot be tokenized."""

from __future__ import annotations

import re

from leanformer.errors import DataError

_HALF_PAIR = re.compile("[\ud800-\udfff]")


def check_whole(name: str, *texts: str) -> None:
    """Raise `DataError` for a text with half of a surrogate pair; `name` identifies it in the message."""
    if any(map(_HALF_PAIR.search, texts)):
        raise DataError(
            f"{name} has half of a surrogate pair, which is no character",
            remedy="decode the bytes as what they are, or text.encode('utf-8', 'replace').decode()",
        )
