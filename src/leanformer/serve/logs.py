"""Structured logs: one JSON object per line on standard error. No text of a request is ever handed to this module."""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
import warnings
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO


class Log:
    """Writes events. A reader that is slow or gone costs lines, not requests.

    Args:
        stream: where to; None takes standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, event: str, *, level: str = "info", **fields: Any) -> None:
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        # In ASCII: a reader may take other characters for the end of a line, and the stream may have no room for them.
        line = json.dumps({"time": now, "level": level, "event": event, **fields}, default=str)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def log_instead(log: Log) -> None:
    """Let this process's warnings, and exceptions that nobody catches, become lines of the log instead of text."""

    def warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        log("library", level="warning", logger=category.__name__, message=str(message))

    def fail(kind: type[BaseException], _: BaseException | None, place: TracebackType | None) -> None:
        # The place, and not the message: that may repeat what was asked.
        frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(place)[-6:]]
        log("failure", level="error", error=kind.__name__, frames=frames)

    warnings.showwarning = warn
    sys.excepthook = fail
    sys.unraisablehook = lambda raised: fail(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: fail(raised.exc_type, raised.exc_value, raised.exc_traceback)
