"""What the scheduler deals in: jobs, the packs that their rows travel in, and workers as it knows them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# Jobs in the order of their turns. Ordered dictionaries, so that a dropped one leaves its queue at once.
Lane = OrderedDict["RequestJob", None]


class Worker(Protocol):
    """What the scheduler knows of a worker: the packs that it has not answered, and a way to send one more."""

    packs: dict[int, WorkerBatch]

    def send(self, pack: WorkerBatch) -> None: ...


@dataclass(eq=False)
class RequestJob:
    """The rows of one request on their way to becoming logits: one for each row, or one for each token of all rows.

    Attributes:
        todo: indices of rows that no worker has, the next one last.
        answer: done when every row is answered, or with the reason why they will not be.
        open: whether the answer is still owed.
        starts: where a model gives logits for every token, the first of each row in the whole, and the end.
        deaths: how often a worker was lost, or failed, with rows of this job.
        seconds: from the start of the wait to the first row handed out, and from there to the last answer.
    """

    model: int
    rows: Sequence[np.ndarray]
    exact: bool
    tokens: int
    arrived: float
    todo: list[int]
    answer: asyncio.Future[np.ndarray]
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
    """Rows that go to a worker together; all for one model."""

    number: int
    model: int
    exact: bool
    parts: list[tuple[RequestJob, list[int]]]
    tokens: int
    sent: float

    def rows(self) -> list[np.ndarray]:
        return [job.rows[index] for job, indices in self.parts for index in indices]
