"""A journal: an append-only file of JSON lines that survives a kill in the middle of a line.

Each line has a hash of itself and all lines before it. Everything from the first damaged line on is ignored: the work
recorded in lost lines is repeated.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from leanformer.errors import LeanformerError
from leanformer.files import naming, sha256_json

Event = dict[str, Any]
_CHECK = "check"


class Journal:
    """The lines of a file of which this is the only writer. `events` are those that were there when it was opened.

    A damaged file is copied to NAME-damaged.jsonl, and the journal continues after its last valid line, with a warning
    to `say`. Raises `LeanformerError` if another process is writing.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab")  # noqa: SIM115 (held open for the life of the journal)
        try:
            _lock(self._file, path)
            self.events, self._last, whole, wrong = _read(path)
            if wrong is not None:
                aside = _free(path.with_name(f"{path.stem}-damaged{path.suffix}"))
                shutil.copyfile(path, aside)
                say(f"warning: {path}, line {wrong}: damaged; done again from there on (the old file is {aside})")
            if whole < os.path.getsize(path):
                if wrong is None:
                    say(f"warning: {path}: its last line was cut off; what it told is done again")
                self._file.truncate(whole)
        except BaseException:
            self._file.close()
            raise

    def add(self, event: Event) -> None:
        """Append one event; when this returns, it is on disk."""
        check = _checked(event, self._last)
        line = json.dumps(event | {_CHECK: check}, ensure_ascii=False, allow_nan=False) + "\n"
        with naming(self.path):
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        self._last = check

    def close(self) -> None:
        with suppress(OSError):  # of a line for which a full disk had no room; that was reported when it was added
            self._file.close()


def _checked(event: Event, last: str) -> str:
    """The hash of a line whose predecessor has the hash `last`."""
    return sha256_json([last, json.loads(json.dumps(event))])[:16]


def _free(path: Path) -> Path:
    """`path`, or its first numbered variant that does not exist yet."""
    found, number = path, 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _lock(file: IO[bytes], path: Path) -> None:
    """Lock the file, as two writers would damage each other's lines. Raises `LeanformerError` if it is locked."""
    try:
        import fcntl
    except ImportError:
        return  # Windows
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LeanformerError(
            f"{path}: another search is writing it\n  remedy: wait for its end, or give another --work folder"
        ) from error
    except OSError:
        pass  # a file system without locks


def _read(path: Path) -> tuple[list[Event], str, int, int | None]:
    """The events, the hash of the last, their length in bytes, and the number of the damaged line, if there is one.

    A journal of an earlier version has no hashes; its lines are accepted unchecked, up to the first with a hash.
    """
    events: list[Event] = []
    last, whole = "", 0
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            event = json.loads(line)
            check = event.pop(_CHECK, "")
            if (last or check) and check != _checked(event, last):
                return events, last, whole, number
        except (ValueError, AttributeError, TypeError, RecursionError):
            return events, last, whole, number
        events.append(event)
        last = check
        whole += len(line) + 1
    return events, last, whole, None
