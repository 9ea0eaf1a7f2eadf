"""The models as of one start or reload, a request that they have accepted, and its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from leanformer.serve.http.inputs import Query
from leanformer.serve.http.refused import Refused
from leanformer.serve.model import Model, Reading
from leanformer.serve.workers.jobs import RequestJob
from leanformer.serve.workers.scheduler import Scheduler


class WorkerGroup(Protocol):
    """The workers of one generation; `pool.Pool` is the implementation with processes on this machine."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Generation:
    """The models as of one start or reload, with the workers that hold exactly them."""

    number: int
    models: dict[str, Model]
    scheduler: Scheduler
    pool: WorkerGroup

    def engine_of(self, model: Model) -> dict[str, Any]:
        """What runs a model in the workers (`predictor.EngineUsed` as JSON)."""
        return self.scheduler.engines[model.index]


@dataclass(frozen=True)
class Answered:
    """The result of a request: an answer per text, whether it asked for only one, and seconds by stage."""

    answers: list[Any]
    single: bool
    model: Model
    tokens: int
    seconds: dict[str, float]

    @property
    def value(self) -> Any:
        """The response: the single answer or the list; for vectors always a list, as in text-embeddings-inference."""
        return self.answers[0] if self.single and self.model.route != "embed" else self.answers


@dataclass(eq=False, slots=True)
class Begun:
    """A query whose rows have been accepted; `start` in seconds of `time.perf_counter`."""

    model: Model
    query: Query
    reading: Reading
    scheduler: Scheduler
    job: RequestJob
    start: float
    tokenize_seconds: float

    def drop(self) -> None:
        """Drop the work: the client no longer waits for it."""
        self.scheduler.drop(self.job, Refused(499, "the client has gone"))

    def answered(self, answers: list[Any]) -> Answered:
        job, total = self.job, time.perf_counter() - self.start
        seconds = {
            "tokenize": self.tokenize_seconds, "queue": job.queue_seconds, "infer": job.infer_seconds, "total": total
        }  # fmt: skip
        return Answered(answers, self.query.single, self.model, job.tokens, seconds)
