"""A disk without room, and what to do about it; libraries have many ways to tell of one."""

from __future__ import annotations

import errno
import os
import re

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What `files` calls a file or folder that is not whole yet; the user knows it by its own name.
_PARTIAL = re.compile(r"\.([^/\\]+?)\.\d+-[0-9a-f]+\.[0-9a-f]+-[0-9a-f]+\.partial([/\\]new)?")


def full_disk(error: BaseException, goes_on: bool) -> str | None:
    """The message for an error that comes of a full disk, a quota or a limit on files; None for any other.

    `goes_on`: whether the command goes on where it was.
    """
    found: BaseException | None = error
    while found is not None:
        if (reason := _reason(found)) is not None:
            name = None if not isinstance(found, OSError) else found.filename2 or found.filename
            where = "" if name is None else _PARTIAL.sub(r"\1", os.fsdecode(name) if name else "") + ": "
            room = "raise the limit on files (ulimit -f)" if reason == os.strerror(errno.EFBIG) else "make room there"
            again = "; it goes on from what is there" if goes_on else ""
            return f"{where}{reason}\n  remedy: {room}, and run the same command again{again}"
        found = found.__cause__ or found.__context__
    return None


def _reason(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return os.strerror(error.errno)
    text = str(error)
    for number in _NUMBERS:
        if f"os error {number})" in text or os.strerror(number) in text or f"[Errno {number}]" in text:
            return os.strerror(number)
    return None
