"""Worker threads: numbered, pinned where asked for, and only they."""

from __future__ import annotations

import os
import threading

import pytest

from leanformer.runtime.workers import WorkerThreads


def met(workers: WorkerThreads, count: int) -> dict[int, set[int]]:
    """Number -> processors of each worker, seen while all of them are at work."""
    barrier = threading.Barrier(count, timeout=20)
    seen: dict[int, set[int]] = {}

    def look(_: int) -> None:
        seen[workers.number] = set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()
        barrier.wait()

    workers.map(look, range(count))
    return seen


def test_workers_are_numbered():
    assert set(met(WorkerThreads(3), 3)) == {0, 1, 2}
    assert WorkerThreads(3).number == 0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning on this system")
def test_pinned_workers_stay_on_their_processors_and_nobody_else_is_moved():
    before = set(os.sched_getaffinity(0))
    one, other = min(before), max(before)
    assert met(WorkerThreads(2, [{one}, {other}]), 2) == {0: {one}, 1: {other}}
    assert set(os.sched_getaffinity(0)) == before
    assert met(WorkerThreads(2), 2) == {0: before, 1: before}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning on this system")
def test_a_processor_that_is_gone_is_no_error():
    before = set(os.sched_getaffinity(0))
    assert met(WorkerThreads(1, [{100_000}]), 1) == {0: before}


def test_what_the_work_raises_arrives():
    def fail(number: int) -> None:
        raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 0"):
        WorkerThreads(2).map(fail, range(3))
