"""Data of the scheduler: jobs, the packs with their rows, and the scheduler's view of workers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

# Jobs in the order of their turns. Ordered dictionaries, so that a dropped job leaves its queue in constant time.
Lane = OrderedDict["RequestJob", None]


class Worker(Protocol):
    """The scheduler's view of a worker: the packs that it has not answered, and a way to send another one.

    `engines` is what runs each model there (`predictor.EngineUsed` as JSON).
    """

    packs: dict[int, WorkerBatch]
    engines: list[dict[str, Any]]

    def send(self, pack: WorkerBatch) -> None: ...


@dataclass(eq=False)
class RequestJob:
    """The rows of one request until they are logits: one row of logits per row, or one per token of all rows.

    Attributes:
        todo: indices of rows not yet sent to a worker, the next one last.
        priority: a place in `queues.PRIORITIES`.
        answer: done when every row is answered, or has the reason why they will not be.
        open: whether the answer is still due.
        starts: if a model gives logits per token, the offset of each row's first token, and the end.
        deaths: how often a worker died, or failed, with rows of this job.
        seconds: from the start of the wait to the first row sent, and from there to the last answer.
    """

    model: int
    rows: Sequence[np.ndarray]
    exact: bool
    tokens: int
    arrived: float
    todo: list[int]
    answer: asyncio.Future[np.ndarray]
    priority: int = 1
    logits: np.ndarray | None = None
    missing: int = 0
    deaths: int = 0
    handed_out: float | None = None
    answered: float | None = None
    timer: asyncio.TimerHandle | None = None
    open: bool = True
    starts: np.ndarray | None = None

    @property
    def queue_seconds(self) -> float:
        return (self.handed_out or self.arrived) - self.arrived

    @property
    def infer_seconds(self) -> float:
        return 0.0 if self.answered is None or self.handed_out is None else self.answered - self.handed_out


@dataclass(eq=False)
class WorkerBatch:
    """Rows sent to a worker together; all for one model. `expected` is how many seconds they should take."""

    number: int
    model: int
    exact: bool
    parts: list[tuple[RequestJob, list[int]]]
    tokens: int
    sent: float
    expected: float = 0.0

    def rows(self) -> list[np.ndarray]:
        return [job.rows[index] for job, indices in self.parts for index in indices]
