"""A journal: a file of JSON lines that is only ever added to, and survives a kill in the middle of a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from leanformer.errors import LeanformerError

Event = dict[str, Any]


class Journal:
    """The lines of a file, of which this is the only writer. `events` are those that were there when it was opened.

    Raises `LeanformerError` for a broken line, and where another process is writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab")  # noqa: SIM115 (held open for the life of the journal)
        try:
            _lock(self._file, path)
            self.events, whole = _read(path)
        except LeanformerError:
            self._file.close()
            raise
        if whole < os.path.getsize(path):  # the last line was torn: it says nothing that is not done again
            self._file.truncate(whole)

    def add(self, event: Event) -> None:
        """Write one event; when this returns, it is on the disk."""
        self._file.write((json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _lock(file: IO[bytes], path: Path) -> None:
    """Two writers would tear each other's lines. Raises `LeanformerError` where there is one already."""
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
        pass  # a file system that knows no locks


def _read(path: Path) -> tuple[list[Event], int]:
    """The events, and how many bytes they take. Raises `LeanformerError` for a broken line before the last one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    events: list[Event] = []
    whole = 0
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError("not an event")
        except ValueError as error:
            raise LeanformerError(
                f"{path}, line {number}: not a line of a journal ({error})\n"
                "  remedy: another --work folder, or remove this file to begin again"
            ) from error
        events.append(event)
        whole += len(line) + 1
    return events, whole
