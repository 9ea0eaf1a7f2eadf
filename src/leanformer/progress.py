"""Progress of a long job: permanent lines, and a status that the next line replaces.

On a terminal the status is one line, rewritten in place and erased before anything else is written to either stream, so
errors and results never share a line with it. In a log (a file or a pipe), a status is a separate line, at most one
every few seconds.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from leanformer.forking import tell_of_forks

Say = Callable[[str], None]
# Seconds between two status lines of one job, and between two in a log.
INTERVAL, LOG_INTERVAL = 1.0, 5.0
_ERASE = "\r\x1b[K"


class Status(str):
    """How far a job is. A later line repeats its information, so it may be left out."""


def prefixed(say: Say, prefix: str = "    ") -> Say:
    """`say` for the lines of a step within a job; a status remains a status."""
    return lambda line: say(type(line)(prefix + line))


class Pace:
    """Limits how often a job reports its status, which it could do after every batch."""

    def __init__(self, seconds: float = INTERVAL) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Log:
    """Writes lines to one of the two streams, and at most one status every `seconds`.

    Args:
        name: "stderr" or "stdout"; looked up for every line, because a program may replace its streams.
    """

    def __init__(self, name: str, seconds: float = LOG_INTERVAL) -> None:
        self._name, self.seconds, self._last = name, seconds, float("-inf")

    def __call__(self, line: str) -> None:
        stream = getattr(sys, self._name)
        if isinstance(stream, _Guarded) and self._name == "stderr" and isinstance(line, Status):
            stream.live.show(line)
            return
        if isinstance(line, Status):
            now = time.monotonic()
            if now - self._last < self.seconds:
                return
            self._last = now
        print(line, file=stream, flush=True)


to_stderr = Log("stderr")
to_stdout = Log("stdout")


@contextmanager
def live() -> Iterator[None]:
    """Show statuses as one live line during the block, if standard error is a terminal that can rewrite a line."""
    if not _is_terminal(sys.stderr):
        yield
        return
    streams = sys.stdout, sys.stderr
    line = _Live(sys.stderr)
    sys.stdout, sys.stderr = _Guarded(sys.stdout, line), _Guarded(sys.stderr, line)
    try:
        yield
    finally:
        line.erase()
        sys.stdout, sys.stderr = streams


def erasing() -> str:
    """Characters that erase the live line, for a signal handler that may not use the streams; "" if there is none."""
    return _ERASE if isinstance(sys.stderr, _Guarded) and sys.stderr.live.shown else ""


def _is_terminal(stream: Any) -> bool:
    return bool(stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb")


class _Live:
    """The last line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.shown, self._lock = stream, False, threading.RLock()
        tell_of_forks(self)

    def begin_in_child(self) -> None:
        """See `forking`: a thread of the parent may hold the lock."""
        self._lock = threading.RLock()

    def show(self, line: str) -> None:
        """Replace the current line, cut to the terminal's width: it must not wrap."""
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            width = 80
        with self._lock:
            self._stream.write(f"{_ERASE}{line[: width - 1]}")
            self._stream.flush()
            self.shown = True

    def erase(self) -> None:
        with self._lock:
            if self.shown:
                self.shown = False
                self._stream.write(_ERASE)
                self._stream.flush()


class _Guarded:
    """A stream that erases the live line before every write."""

    def __init__(self, stream: TextIO, live: _Live) -> None:
        self._stream, self.live = stream, live

    def write(self, text: str) -> int:
        self.live.erase()
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        self.live.erase()
        self._stream.writelines(lines)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes that bypass `write`
            self.live.erase()
        return getattr(self._stream, name)
