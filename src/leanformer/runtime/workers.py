"""Threads that run packs, each with a number, and where asked for on physical cores of its own."""

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
    """A pool of `count` threads that take work in the order given, and end when nothing refers to it any more.

    Threads, not processes: engines release Python's lock while they compute, and the weights are held once
    (benchmarks/runtime/workers.py compares).

    Args:
        places: processors for each worker, to which its thread is pinned; None leaves that to the system.
    """

    def __init__(self, count: int, places: Sequence[Iterable[int]] | None = None) -> None:
        self._local = local = threading.local()
        numbers = itertools.count()

        # Not a method: the threads would hold the pool that they end with, and so never end.
        def begin() -> None:
            local.number = number = next(numbers)
            if places is not None:
                # The processors may have been taken away since they were counted; then it runs where it may.
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(0, places[number])

        self._pool = ThreadPoolExecutor(count, thread_name_prefix="leanformer", initializer=begin)

    def map(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Do `work` for each item. Raises what it raised first."""
        for _ in self._pool.map(work, items):
            pass

    def submit(self, work: Callable[..., R], *arguments: object) -> Future[R]:
        """Do `work` as soon as a worker is free."""
        return self._pool.submit(work, *arguments)

    @property
    def number(self) -> int:
        """Of the worker whose thread this is; 0 on any other thread."""
        return getattr(self._local, "number", 0)
