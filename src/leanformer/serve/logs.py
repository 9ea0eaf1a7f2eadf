"""Structured logs: one JSON object per line on standard error. Request texts are never passed to this module."""

from __future__ import annotations

import asyncio
import json
import select
import sys
import threading
import time
import traceback
import warnings
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

_SOON_SECONDS = 0.05
# How long a reader that has kept up so far is waited for.
_READER_SECONDS = 0.1
# A pipe that can be written to takes so many bytes (characters, as lines are ASCII) without waiting.
_PIECE = select.PIPE_BUF


class Log:
    """Writes events. If the reader is slow or gone, lines are lost, not requests.

    Args:
        stream: output stream; None takes standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._waiting: list[dict[str, Any]] = []
        self._behind = self._torn = False

    def __call__(self, event: str, *, level: str = "info", **fields: Any) -> None:
        self._waiting.append({"time": time.time(), "level": level, "event": event, **fields})
        self.flush()

    def soon(self, event: str, **fields: Any) -> None:
        """As a call, but written together with the events of the next moments; in an event loop only."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(_SOON_SECONDS, self.flush)
        self._waiting.append({"time": time.time(), "level": "info", "event": event, **fields})

    def flush(self) -> None:
        """Write the events that wait."""
        events, self._waiting = self._waiting, []
        text, start = "\n" * self._torn + "".join(map(_line, events)), 0
        try:
            while start < len(text) and self._taken():
                end = text.rfind("\n", start, start + _PIECE) + 1 or start + _PIECE
                self._stream.write(text[start:end])
                self._stream.flush()
                start, self._torn = end, text[start:end][-1] != "\n"
        except (OSError, ValueError):
            return

    def _taken(self) -> bool:
        """Whether a piece can be written now. A reader that is behind is not waited for until it has caught up."""
        try:
            number = self._stream.fileno()
        except (AttributeError, OSError, ValueError):  # not a file
            return True
        self._behind = not select.select((), (number,), (), 0 if self._behind else _READER_SECONDS)[1]
        return not self._behind


def _line(event: dict[str, Any]) -> str:
    event["time"] = datetime.fromtimestamp(event["time"], UTC).isoformat(timespec="milliseconds")
    # ASCII only: a reader may treat other characters as line breaks, and the stream's encoding may lack them.
    return json.dumps(event, default=str) + "\n"


def log_instead(log: Log) -> None:
    """Turn this process's warnings and uncaught exceptions into log lines instead of text."""

    def warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        log("library", level="warning", logger=category.__name__, message=str(message))

    def fail(kind: type[BaseException], _: BaseException | None, place: TracebackType | None) -> None:
        # Log the location, not the message, which may contain parts of a request.
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(place)[-6:]]
        log("failure", level="error", error=kind.__name__, frames=frames)

    warnings.showwarning = warn
    sys.excepthook = fail
    sys.unraisablehook = lambda raised: fail(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: fail(raised.exc_type, raised.exc_value, raised.exc_traceback)
