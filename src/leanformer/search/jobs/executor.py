"""The interface to executors of trials, in plain JSON, so that they may run in other processes or on other machines.

A job contains everything that a trial needs:

    {"trial": 7, "rung": 0, "share": 0.33, "over": "epochs", "seed": 13,
     "recipe": {"name", "steps": [...]}, "runtime": {"engine": "native"}}

`recipe` is `Recipe.to_json`, with a share of epochs already applied; a share of data is applied by the executor. A
result is

    {"figures": {"quality": 0.93, "drop": 0.4, "latency_ms_p95": 1.2, ...}, "content_hash": "...",
     "wall_seconds": 61.0, "cpu_seconds": 118.0, "joules": null}

or {"failed": "why", "wall_seconds": ...} for a recipe that cannot be run. Any other error is raised: it ends the
search, which resumes from there when it is started again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

Job = dict[str, Any]
Result = dict[str, Any]


class Executor(Protocol):
    """Runs jobs, possibly several at a time. Results may come in any order.

    `workers` is the number of jobs that it accepts at a time.
    """

    @property
    def workers(self) -> int: ...

    def submit(self, job: Job) -> None: ...

    def take(self) -> tuple[Job, Result]:
        """Wait for a job to finish. If a worker dies, the executor itself has to run the job again."""
        ...


class Serial:
    """An executor that runs one job after another with a function, in this process."""

    workers = 1

    def __init__(self, run: Callable[[Job], Result]) -> None:
        self._run = run
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def take(self) -> tuple[Job, Result]:
        job = self._waiting.popleft()
        return job, self._run(job)
