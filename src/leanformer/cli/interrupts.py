"""Ctrl-C, raised where it can be: in the middle of an import it may abort the process, or come out as nothing."""

from __future__ import annotations

import signal
import sys
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from threading import current_thread, main_thread
from types import CodeType, FrameType, FunctionType
from typing import Any

_SOON_SECONDS = 0.05  # by then the destructor or callback is over
_PATIENCE_SECONDS = 2.0  # an import that takes longer is not waited for
_IMPORT = "<frozen importlib"  # how the file names of the import system's own frames begin


class Interrupts:
    """Notes interrupts during the block, and raises `KeyboardInterrupt` inside `guarded`, where its caller expects it.

    One that comes elsewhere, in the middle of an import (C++ libraries that start there call Python, and abort on any
    exception) or where Python cannot raise (a destructor, a callback from C) is put off, a moment at a time. When the
    time for that is over, the process ends at once. Nothing arrives any more after the block.

    Only where Python's own handler is in place, and in the main thread: whoever has another way with interrupts keeps
    it.

    Args:
        guarded: the function whose caller handles `KeyboardInterrupt`.
        end: called when an interrupt could not be raised in time; must not return.

    Attributes:
        seen: whether there was one.
    """

    def __init__(self, guarded: Callable[[], object], end: Callable[[], object]) -> None:
        assert isinstance(guarded, FunctionType)
        self.seen = False
        self._code: CodeType = guarded.__code__
        self._end = end
        self._here = False
        self._after: signal.Handlers | Callable[[int, FrameType | None], Any] = signal.default_int_handler
        self._first: float | None = None
        # The handler may come in the middle of anything, so that it must not wait for a lock: none of `threading`.
        self._waiting = allocate_lock()  # held while a signal is to be sent
        self._sending = allocate_lock()

    def __enter__(self) -> Interrupts:
        self._here = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._here:
            self._hook = sys.unraisablehook
            sys.unraisablehook = self._unraisable
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._here:
            self._after, after = signal.SIG_IGN, self._after  # what still comes is noted and not put off
            for lock in (self._waiting, self._sending):
                lock.acquire(timeout=1)  # a moment; the rest is for a fork, where nobody gives it back
            signal.signal(signal.SIGINT, after)
            sys.unraisablehook = self._hook

    def ignore(self) -> None:
        """From now on another interrupt changes nothing, also after the block: the process is ending already."""
        if self._here:
            self._after = signal.SIG_IGN

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        if self._after is signal.SIG_IGN:
            return
        if self._can_raise(frame):
            raise KeyboardInterrupt
        self._first = self._first or time.monotonic()
        if time.monotonic() - self._first > _PATIENCE_SECONDS:
            self._end()
        self._again()

    def _can_raise(self, frame: FrameType | None) -> bool:
        while frame is not None and not frame.f_code.co_filename.startswith(_IMPORT):
            if frame.f_code is self._code:
                return True
            frame = frame.f_back
        return False

    def _again(self) -> None:
        if not self._waiting.acquire(blocking=False):
            return
        try:
            start_new_thread(self._send, ())
        except BaseException:
            self._waiting.release()
            raise

    def _send(self) -> None:
        time.sleep(_SOON_SECONDS)
        with self._sending:
            self._waiting.release()  # first: the handler may want another one before this thread goes on
            if hasattr(signal, "pthread_kill"):  # ends a wait of the main thread's, too
                signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
            else:
                signal.raise_signal(signal.SIGINT)

    def _unraisable(self, unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            self._again()
        else:
            self._hook(unraisable)
