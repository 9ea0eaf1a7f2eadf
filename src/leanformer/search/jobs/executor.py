"""Who runs trials: a seam of plain JSON, so that they may run here, in other processes or on other machines.

A job is what a trial needs and nothing else:

    {"trial": 7, "rung": 0, "share": 0.33, "over": "epochs", "seed": 13,
     "recipe": {"name", "steps": [...]}, "runtime": {"engine": "native"}}

`recipe` is `Recipe.to_json` with its share already taken where it is of epochs; a share of data is the executor's to
take. A result is

    {"figures": {"quality": 0.93, "drop": 0.4, "latency_ms_p95": 1.2, ...}, "content_hash": "...",
     "wall_seconds": 61.0, "cpu_seconds": 118.0, "joules": null}

or {"failed": "why", "wall_seconds": ...} for a recipe that cannot be run. Whatever else goes wrong is raised: it ends
the search, which goes on from there when it is started again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

Job = dict[str, Any]
Result = dict[str, Any]


class Executor(Protocol):
    """Runs jobs, several at a time perhaps. Results may come in any order.

    `workers` is how many jobs it wants to have in hand.
    """

    @property
    def workers(self) -> int: ...

    def submit(self, job: Job) -> None: ...

    def take(self) -> tuple[Job, Result]:
        """Wait for one of the jobs to be done. A job whose worker died is the executor's own to run again."""
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
