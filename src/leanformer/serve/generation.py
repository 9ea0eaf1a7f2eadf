"""The models as of one start or reload, a request that they have accepted, and its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import input_of
from leanformer.serve.http.inputs import Query
from leanformer.serve.http.refused import Refused
from leanformer.serve.http.tokens import Tokens
from leanformer.serve.model import Model, Reading
from leanformer.serve.workers.jobs import RequestJob
from leanformer.serve.workers.scheduler import Scheduler


class WorkerGroup(Protocol):
    """The workers of one generation; `pool.WorkerPool` is the implementation with processes on this machine."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class MakeWorkers(Protocol):
    """Makes the workers of a generation, not yet started; for the arguments see `workers.pool.Workers`."""

    def __call__(
        self, *, folders: Sequence[str], contents: Sequence[str], count: int, stuck_seconds: float,
        scheduler: Scheduler, say: Callable[..., None], changed: Callable[[], None], tuning: bool, nice: int,
    ) -> WorkerGroup: ...  # fmt: skip


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

    def named(self, name: str) -> Model:
        """The model of that name. Raises `Refused` (404) if there is none."""
        if name not in self.models:
            raise Refused(404, f"no model of that name; the models are {', '.join(self.models)}")
        return self.models[name]

    def tokens_of(self, value: Any) -> Tokens:
        """The tokens of the model that a body names, given as a JSON value, or of the first that has some.

        Raises `Refused` (404, 422).
        """
        name = value.get("model") if isinstance(value, dict) else None
        if not isinstance(name, str | None):
            raise Refused(422, "model: must be a name")
        for model in self.models.values() if name is None else [self.named(name)]:
            if model.tokens is not None:
                return model.tokens
        if name is not None:
            raise Refused(422, f"model: {name} has no tokens: it reads characters, or in the ways of several models")
        raise Refused(404, "no model here has tokens: they read characters, or in the ways of several models")


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


async def warm(model: Model, scheduler: Scheduler, seconds: float) -> None:
    """Let a model answer a text as it would a request, so that no request waits for what is done only once.

    Raises `LeanformerError` if it cannot within so many seconds.
    """
    query = Query(list(input_of(model.task).samples[:1]), route=model.route, truncate=True)
    try:
        reading, by_token = model.read_now(query), model.route in ("tag", "answer")
        job = scheduler.submit(model.index, reading.rows, exact=False, timeout=seconds, by_token=by_token)
        model.answer_now(await job.answer, reading, query)
    except Refused as refused:
        if refused.status == 413:  # a queue for less than this text
            return
        raise LeanformerError(f"{model.name}: it does not answer its sample text: {refused.message}") from refused
