"""The service behind the routes: generations of models with their workers, and the path of a request through them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.errors import LeanformerError
from leanformer.serve.generation import Answered, Begun, Generation, MakeWorkers, warm
from leanformer.serve.http.inputs import Query, fit
from leanformer.serve.http.refused import Refused
from leanformer.serve.logs import Log
from leanformer.serve.metrics import Metrics
from leanformer.serve.model import Model, Reading, open_model
from leanformer.serve.readers import Readers
from leanformer.serve.settings import ServerSettings
from leanformer.serve.watch import Watch, with_found
from leanformer.serve.workers.jobs import RequestJob, WorkerBatch
from leanformer.serve.workers.pool import WorkerPool
from leanformer.serve.workers.queues import NORMAL
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.task import Task


class Service:
    """Everything except HTTP.

    Args:
        make_pool: makes the workers of a generation; called like `WorkerPool`.
    """

    def __init__(self, settings: ServerSettings, log: Log, make_pool: MakeWorkers = WorkerPool) -> None:
        self.settings, self.log, self.metrics = settings, log, Metrics()
        self._make_pool, self._readers = make_pool, Readers(settings.limits)
        self._generation: Generation | None = None
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endings: set[asyncio.Task[Any]] = set()
        self._refresh_wanted = False

    @property
    def generation(self) -> Generation:
        if self._generation is None:
            raise Refused(503, "the models are not loaded yet", {"retry-after": "1"})
        return self._generation

    @property
    def ready(self) -> bool:
        """Whether a request would be answered now: models are loaded and a worker is alive."""
        return self._generation is not None and bool(self._generation.scheduler.workers)

    async def start(self) -> None:
        """Load the models and start the workers. Raises `LeanformerError` if a model cannot be loaded."""
        folder = self.settings.models_from
        watch = None if folder is None else Watch(Path(folder), self.reload)
        self._generation = await self._open(1)
        self._announce(self._generation)
        if watch is not None:
            _keep(self._tasks, watch.run())

    async def stop(self) -> None:
        """Answer the accepted requests, then stop the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        last, self._generation = self._generation, None
        await asyncio.gather(*self._endings, *([] if last is None else [self._end(last)]))
        self._readers.close()

    def refresh(self) -> None:
        """Schedule a reload without waiting for it; calls before it starts are merged into one reload."""
        if not self._refresh_wanted:
            self._refresh_wanted = True
            _keep(self._tasks, self.reload())

    async def reload(self) -> bool:
        """Reload the artifacts and use them for new requests; returns whether that worked.

        Requests accepted before are answered by the workers of their generation, which stop afterwards. If an artifact
        cannot be loaded, nothing changes.
        """
        async with self._reloading:
            self._refresh_wanted = False
            old = self.generation
            try:
                new = await self._open(old.number + 1)
            except Exception as error:  # whatever it is, the server goes on with what it has
                kind = "" if isinstance(error, LeanformerError | OSError) else f"{type(error).__name__}: "
                self.metrics.reloads("failed").inc()
                self.log("reload_failed", level="error", error=f"{kind}{error}")
                return False
            self._generation = new
            self.metrics.reloads("done").inc()
            self._announce(new)
            _keep(self._endings, self._end(old))
            return True

    async def answer(
        self, query: Query, *, timeout: float, accepted: Callable[[Scheduler, RequestJob], None] | None = None,
        priority: int = NORMAL,
    ) -> Answered:  # fmt: skip
        """The answer to each text of a query.

        Args:
            timeout: seconds after which the work is dropped, the time in which the texts are read included.
            priority: a place in `queues.PRIORITIES`.
            accepted: called with the job as soon as it is accepted, so that the job can be dropped if nobody waits for
                it any more. Cancelling the call drops it too.

        Raises `Refused`.
        """
        start, left = time.perf_counter(), timeout
        while True:
            generation, model, query = self._ready(query, priority)
            if characters := model.long(query):
                reading = await self._readers.run(characters, partial(model.read_now, query), left)
                left = max(start + timeout - time.perf_counter(), 0.0)
            else:
                reading = model.read_now(query)
            # A generation that was replaced meanwhile takes no more work: its workers may have ended.
            if generation is self._generation:
                break
        begun = self._submit(generation, model, query, reading, start, left, priority)
        if accepted is not None:
            accepted(begun.scheduler, begun.job)
        try:
            logits: np.ndarray = await begun.job.answer
        except asyncio.CancelledError:
            begun.drop()
            raise
        answered = begun.answered(await model.answer(logits, reading, begun.query))
        # Counted after the answer has been handed over.
        asyncio.get_running_loop().call_soon(self.count, answered)
        return answered

    def begin(self, query: Query, *, timeout: float, priority: int = NORMAL) -> Begun | None:
        """The first half of `answer`, without waiting; None where that would hold up other requests for too long.

        The caller drops the job if nobody waits for it any more, and counts the answer. Raises `Refused`.
        """
        start = time.perf_counter()
        generation, model, query = self._ready(query, priority)
        if not model.quick(query):
            return None
        return self._submit(generation, model, query, model.read_now(query), start, timeout, priority)

    def _ready(self, query: Query, priority: int) -> tuple[Generation, Model, Query]:
        """What answers a query, and the query as its task reads it; no work has been done for it. Raises `Refused`."""
        generation = self.generation
        model = self.model(query, generation)
        query = fit(query, model.task)
        generation.scheduler.check_room(model.index, priority=priority)
        return generation, model, query

    def _submit(
        self, generation: Generation, model: Model, query: Query, reading: Reading, start: float, timeout: float,
        priority: int,
    ) -> Begun:  # fmt: skip
        tokenized = time.perf_counter()
        scheduler, by_token = generation.scheduler, query.route in ("tag", "answer")
        job = scheduler.submit(
            model.index, reading.rows, exact=query.exact, timeout=timeout, by_token=by_token, priority=priority
        )
        return Begun(model, query, reading, scheduler, job, start, tokenized - start)

    def count(self, answered: Answered) -> None:
        """Add an answer to the metrics."""
        name = answered.model.name
        for stage, value in answered.seconds.items():
            self.metrics.stage_seconds(name, stage).observe(value)
        self.metrics.texts(name).inc(len(answered.answers))
        self.metrics.tokens(name).inc(answered.tokens)

    def route_of(self, value: Any) -> str:
        """The route of a request that does not name one: that of the model it names, or else of the first model.

        Args:
            value: the body as a JSON value, not yet validated.

        Raises `Refused` (404) if there is no such model.
        """
        generation = self.generation
        name = value.get("model") if isinstance(value, dict) else None
        # A name that is not a string is refused with the other fields.
        model = generation.named(name) if isinstance(name, str) else next(iter(generation.models.values()))
        return model.route

    def model(self, query: Query, generation: Generation) -> Model:
        """The model that the query names, or else the first one for its route.

        Raises `Refused`: 404 if there is none, 422 if the named model has another route.
        """
        if query.model is None:
            for model in generation.models.values():
                if model.route == query.route:
                    return model
            others = ", ".join(
                f"/{route}" for route in dict.fromkeys(model.route for model in generation.models.values())
            )
            raise Refused(404, f"no model here answers /{query.route}; ask {others}")
        named = generation.named(query.model)
        if named.route != query.route:
            raise Refused(422, f"model: {named.name} does not answer /{query.route}; ask /{named.route}")
        return named

    @property
    def largest_id(self) -> int:
        """The largest token id that every model with tokens knows."""
        models = () if self._generation is None else self._generation.models.values()
        return min((model.tokens.largest_id for model in models if model.tokens is not None), default=0)

    @property
    def tasks(self) -> dict[str, Task]:
        """The task of each model by name; empty while models are loaded."""
        return (
            {} if self._generation is None else {model.name: model.task for model in self._generation.models.values()}
        )

    def gauge(self) -> None:
        """Update the gauges: metrics that are states rather than events."""
        scheduler = self.generation.scheduler
        self.metrics.queue_tokens.set(scheduler.outstanding)
        self.metrics.queue_requests.set(scheduler.jobs)
        self.metrics.queue_limit.set(scheduler.queue_tokens)
        self.metrics.model_queue.clear()  # of models that are no longer served
        for model in self.generation.models.values():
            self.metrics.model_queue.labels(model.name).set(scheduler.queue(model.index).outstanding)
        self.metrics.workers.set(len(scheduler.workers))

    async def _open(self, number: int) -> Generation:
        folder, asked = self.settings.models_from, (self.settings.certificates, self.settings.long)
        named = with_found(self.settings.artifacts, None if folder is None else Path(folder))
        models = {
            name: await asyncio.to_thread(open_model, name, index, folder, *asked)
            for index, (name, folder) in enumerate(named.items())
        }
        names, limits = list(models), self.settings.limits

        def observe(pack: WorkerBatch, seconds: float) -> None:
            self.metrics.pack_tokens(names[pack.model]).observe(pack.tokens)
            self.metrics.pack_seconds(names[pack.model]).observe(seconds)

        scheduler = Scheduler(limits.queue_tokens, limits.pack_tokens, len(names))
        pool = self._make_pool(
            folders=list(named.values()), contents=[model.version for model in models.values()],
            count=self.settings.workers, stuck_seconds=limits.stuck_seconds, scheduler=scheduler, say=self._tell,
            changed=self.refresh, tuning=self.settings.tuning, nice=self.settings.nice,
        )  # fmt: skip
        await pool.start()
        try:
            for model in models.values():
                await warm(model, scheduler, limits.stuck_seconds)
        except BaseException:
            await pool.stop()
            raise
        scheduler.observe = observe
        return Generation(number, models, scheduler, pool)

    async def _end(self, generation: Generation) -> None:
        await generation.scheduler.empty()
        await generation.pool.stop()
        self.log("workers_ended", generation=generation.number)

    def _announce(self, generation: Generation) -> None:
        self.metrics.models.clear()
        for model in generation.models.values():
            self.metrics.models.labels(model.name, model.version).set(1)
        versions = {model.name: model.version for model in generation.models.values()}
        self.log(
            "models_loaded", generation=generation.number, workers=self.settings.workers, models=versions,
            engines={model.name: generation.engine_of(model) for model in generation.models.values()},
        )  # fmt: skip
        for model in generation.models.values():
            if (used := generation.engine_of(model))["remedy"]:
                self.log("engine_not_fastest", level="warning", model=model.name, engine=used)

    def _tell(self, event: str, **fields: Any) -> None:
        if event == "worker_lost":
            self.metrics.restarts.inc()
        self.log(event, **fields)


def _keep(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Any]) -> None:
    """Run `work` in the background; the set keeps the task from being garbage-collected before its end."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
