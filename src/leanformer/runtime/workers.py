"""Numbered threads that run packs, optionally pinned to separate physical cores."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class WorkerThreads:
    """A pool of `count` threads that take jobs in order of submission, and end when nothing refers to the pool.

    Threads, not processes: engines release the GIL while they compute, and the weights are loaded once
    (benchmarks/runtime/workers.py compares both).

    Args:
        places: processors for each worker, to which its thread is pinned; None leaves placement to the system.
    """

    def __init__(self, count: int, places: Sequence[Iterable[int]] | None = None) -> None:
        self._local = local = threading.local()
        numbers = itertools.count()

        # Not a method: the threads would then hold a reference to the pool, and never end.
        def begin() -> None:
            local.number = number = next(numbers)
            if places is not None:
                # The processors may have been taken away since they were counted; the thread then runs wherever it may.
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(0, places[number])

        self._pool = ThreadPoolExecutor(count, thread_name_prefix="leanformer", initializer=begin)

    def map(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Do `work` for each item. Raises the first exception."""
        for _ in self._pool.map(work, items):
            pass

    def submit(self, work: Callable[..., R], *arguments: object) -> Future[R]:
        """Do `work` as soon as a worker is free."""
        return self._pool.submit(work, *arguments)

    @property
    def number(self) -> int:
        """Number of the worker whose thread is running; 0 on any other thread."""
        return getattr(self._local, "number", 0)
