"""Killing a worker of a local Ray in mid-run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path


def workers_at(title: bytes) -> list[int]:
    """Processes below this one that are at a task just now, by what Ray calls them then."""
    parents: dict[int, int] = {}
    titled: list[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text(encoding="latin-1").rpartition(")")[2].split()[1])
            if (path / "cmdline").read_bytes().startswith(title):
                titled.append(int(path.name))
        except OSError:
            continue

    def ours(pid: int) -> bool:
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, 0)
        return pid == os.getpid()

    return [pid for pid in titled if ours(pid)]


class Killer(threading.Thread):
    """As a block: kills one worker that is at a task of this title, once `ready()`."""

    def __init__(self, title: bytes, ready: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.title, self.ready = title, ready
        self.killed: int | None = None
        self.ended = threading.Event()

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.is_set():
            if self.ready() and (found := workers_at(self.title)):
                os.kill(found[0], signal.SIGKILL)
                self.killed = found[0]
                return
            time.sleep(0.001)


def so_many(path: Path, what: str, count: int) -> bool:
    """Whether the file is there and has `what` so many times."""
    return path.is_file() and path.read_text(encoding="utf-8").count(what) >= count
