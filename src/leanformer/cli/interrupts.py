"""Ctrl-C, remembered: an interrupt that comes in the middle of an import may come out as another error, or as none."""

from __future__ import annotations

import signal
import sys
from threading import Timer, current_thread, main_thread
from types import FrameType
from typing import Any

_SOON_SECONDS = 0.05  # by then the destructor or callback is over


class Interrupts:
    """Notes interrupts during the block, and raises `KeyboardInterrupt` as Python does.

    Only where Python's own handler is in place, and in the main thread: whoever has another way with interrupts keeps
    it.

    Attributes:
        seen: whether there was one.
    """

    def __init__(self) -> None:
        self.seen = False
        self._here = False

    def __enter__(self) -> Interrupts:
        self._here = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._here:
            self._hook = sys.unraisablehook
            sys.unraisablehook = self._again
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._here:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._hook

    def ignore(self) -> None:
        """From now on another interrupt changes nothing: the process is ending already."""
        if self._here:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        raise KeyboardInterrupt

    def _again(self, unraisable: Any) -> None:
        """An interrupt where Python cannot raise it (a destructor, a callback from C) is raised as soon as it can."""
        if unraisable.exc_type is KeyboardInterrupt:
            later = Timer(_SOON_SECONDS, _raise_in_main)
            later.daemon = True
            later.start()
        else:
            self._hook(unraisable)


def _raise_in_main() -> None:
    if hasattr(signal, "pthread_kill"):  # ends a wait of the main thread's, too
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
