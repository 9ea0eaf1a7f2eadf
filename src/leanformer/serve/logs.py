"""Structured logs: one JSON object per line on standard error. Request texts are never passed to this module."""

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
    """Writes events. If the reader is slow or gone, lines are lost, not requests.

    Args:
        stream: output stream; None takes standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, event: str, *, level: str = "info", **fields: Any) -> None:
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        # ASCII only: a reader may treat other characters as line breaks, and the stream's encoding may lack them.
        line = json.dumps({"time": now, "level": level, "event": event, **fields}, default=str)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


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
