"""Which rows go to which worker, and when: packs by token budget, taken by idle workers at once.

There is no batching window in which requests wait for others. An idle worker takes the waiting rows, at most its share
of them and at most `pack_tokens`; while all are busy, rows accumulate, so packs grow with the load. Requests of equal
priority take turns within a model, so a list of a thousand texts delays a single one by a few packs at most.

Each model has a queue of its own (`queues.py`), with its own bound, and models share the time of the workers equally.
Where several are served, a pack is only so large that a slow model does not hold a worker up for long. Everything
happens in the event loop's thread; there are no locks.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leanformer.runtime.packing import result_rows
from leanformer.serve.http.refused import Refused
from leanformer.serve.workers.jobs import RequestJob, Worker, WorkerBatch
from leanformer.serve.workers.queues import NORMAL, ModelQueue
from leanformer.serve.workers.wire import Answer

# Splitting a few tokens between workers costs more in messages than it gains.
_SMALLEST_SHARE = 64
# Where several models are served, a pack should not take longer.
_SLICE_SECONDS = 0.05
# For a token, until a model's first pack is answered.
_GUESSED_SECONDS = 5e-5


@dataclass(eq=False)
class Scheduler:
    """The queue of one generation of workers.

    Attributes:
        queue_tokens: most tokens accepted and not answered, for each model.
        pack_tokens: most tokens in one pack (a longer row goes alone).
        models: how many there are.
        outstanding: tokens accepted and not answered, of all models.
        waiting: tokens not yet sent to a worker.
        engines: what runs each model, as the last worker told it.
    """

    queue_tokens: int
    pack_tokens: int
    models: int = 1
    observe: Callable[[WorkerBatch, float], None] = lambda pack, seconds: None
    workers: list[Worker] = field(default_factory=list)
    engines: list[dict[str, Any]] = field(default_factory=list)
    outstanding: int = 0
    waiting: int = 0
    jobs: int = 0
    _queues: dict[int, ModelQueue] = field(default_factory=dict)
    _clock: float = 0.0  # the seconds of the queue that was served last
    _last: int = 0
    _emptied: asyncio.Event = field(default_factory=asyncio.Event)

    def queue(self, model: int) -> ModelQueue:
        """The queue of a model."""
        if model not in self._queues:
            self._queues[model] = ModelQueue(self.queue_tokens)
        return self._queues[model]

    def check_room(self, model: int, tokens: int = 1, priority: int = NORMAL) -> None:
        """Raise `Refused` if the queue of a model has no room for so many tokens (429: at present, 413: ever)."""
        if tokens > self.queue_tokens:
            raise Refused(413, f"the request has {tokens} tokens; the limit queue_tokens is {self.queue_tokens}")
        queue = self.queue(model)
        others = (other for other in self._queues.values() if other is not queue)
        queue.check_room(tokens, priority, len(self.workers), others)

    def submit(
        self, model: int, rows: Sequence[np.ndarray], *, exact: bool, timeout: float, by_token: bool = False,
        priority: int = NORMAL,
    ) -> RequestJob:  # fmt: skip
        """Accept rows, or raise `Refused` if there is no room for their tokens (`check_room`).

        `by_token` is for models that give logits for every token: the job's logits are then `[tokens, outputs]`.
        """
        tokens = sum(len(row) for row in rows)
        self.check_room(model, tokens, priority)
        loop, queue = asyncio.get_running_loop(), self.queue(model)
        job = RequestJob(
            model, rows, exact, tokens, time.perf_counter(), list(range(len(rows) - 1, -1, -1)), loop.create_future(),
            priority,
        )  # fmt: skip
        job.missing = len(rows)
        if by_token:
            job.starts = np.cumsum([0, *(len(row) for row in rows)])
        job.timer = loop.call_later(timeout, self._late, job, timeout)
        self.jobs += 1
        if not queue.waits:
            queue.seconds = max(queue.seconds, self._clock)
        queue.outstanding += tokens
        self.outstanding += tokens
        self.waiting += tokens
        queue.put(job)
        self.dispatch()
        return job

    def _late(self, job: RequestJob, timeout: float) -> None:
        self.drop(job, Refused(504, f"no answer within {timeout:g} s; the work was dropped"))

    def drop(self, job: RequestJob, reason: Refused) -> None:
        """Give up a job: waiting rows are not computed, and results of rows being computed are not delivered."""
        if not job.open:
            return
        self.waiting -= sum(len(job.rows[index]) for index in job.todo)
        job.todo.clear()
        self.queue(job.model).drop(job)
        self._close(job)
        if not job.answer.done():  # the caller that awaited it may have been cancelled
            job.answer.set_exception(reason)

    def dispatch(self) -> None:
        """Send waiting rows to the workers that can take them."""
        while self.waiting:
            idle = [worker for worker in self.workers if not worker.packs]
            if idle:
                share = max(_SMALLEST_SHARE, math.ceil(self.waiting / len(idle)))
                worker, budget = idle[0], min(self.pack_tokens, share)
            else:
                # If a full pack is waiting, a worker may hold a second one in reserve, so that it need not wait for
                # this loop in between. A smaller pack is better kept here, where it may still grow.
                ready = [worker for worker in self.workers if len(worker.packs) == 1]
                if not ready or self.waiting < self.pack_tokens:
                    return
                worker, budget = ready[0], self.pack_tokens
            pack = self._next_pack(budget)
            if pack is None:
                return
            worker.packs[pack.number] = pack
            worker.send(pack)

    def answered(self, worker: Worker, answer: Answer) -> None:
        """Process a worker's answer to one of its packs."""
        pack = worker.packs.pop(answer.pack)
        queue = self.queue(pack.model)
        queue.seconds += answer.seconds - pack.expected  # also for a pack that failed: it took as long
        if answer.logits is None:
            self._again([pack], Refused(500, "the model failed on this input"))
        else:
            self._deliver(pack, answer.logits)
            queue.measure(pack.tokens, answer.seconds)
            self.observe(pack, answer.seconds)
        self.dispatch()

    def lost(self, worker: Worker) -> None:
        """A worker has died: its packs are retried, once, by others."""
        if worker in self.workers:
            self.workers.remove(worker)
        packs, worker.packs = worker.packs, {}
        self._again(packs.values(), Refused(503, "two workers in turn were lost on this request", {"retry-after": "1"}))
        self.dispatch()

    def add(self, worker: Worker) -> None:
        self.workers.append(worker)
        self.engines = worker.engines
        self.dispatch()

    async def empty(self) -> None:
        """Wait until every accepted job has its answer."""
        while self.jobs:
            self._emptied.clear()
            await self._emptied.wait()

    def _next_pack(self, budget: int) -> WorkerBatch | None:
        waiting = [(queue.seconds, model) for model, queue in self._queues.items() if queue.waits]
        if not waiting:
            return None
        self._clock, model = min(waiting)
        queue = self._queues[model]
        if self.models > 1 and queue.seconds_per_token:
            budget = min(budget, int(_SLICE_SECONDS / queue.seconds_per_token))
        exact, parts, tokens = queue.take(budget)
        now = time.perf_counter()
        for job, _ in parts:
            if job.handed_out is None:
                job.handed_out = now
        self.waiting -= tokens
        self._last = (self._last + 1) % (1 << 32)
        expected = tokens * (queue.seconds_per_token or _GUESSED_SECONDS)
        queue.seconds += expected
        return WorkerBatch(self._last, model, exact, parts, tokens, now, expected)

    def _deliver(self, pack: WorkerBatch, logits: np.ndarray) -> None:
        position = 0
        for job, indices in pack.parts:
            count = len(indices) if job.starts is None else sum(len(job.rows[index]) for index in indices)
            values = logits[position : position + count]
            position += count
            if not job.open:
                continue
            if job.logits is None:
                height = len(job.rows) if job.starts is None else job.tokens
                job.logits = np.empty((height, logits.shape[1]), dtype=np.float32)
            job.logits[result_rows([indices], job.starts)] = values
            job.missing -= len(indices)
            if not job.missing:
                self._close(job)
                if not job.answer.done():
                    job.answer.set_result(job.logits)

    def _again(self, packs: Iterable[WorkerBatch], reason: Refused) -> None:
        """Retry the jobs of packs that failed together separately: one of them may have caused the worker's death."""
        counted = set[RequestJob]()  # a worker that held two packs of a job has died once
        for job, indices in (part for pack in packs for part in pack.parts):
            if not job.open:
                continue
            job.deaths += job not in counted
            counted.add(job)
            if job.deaths > 1:
                self.drop(job, reason)
                continue
            job.todo.extend(reversed(indices))
            self.waiting += sum(len(job.rows[index]) for index in indices)
            self.queue(job.model).put(job, first=True)

    def _close(self, job: RequestJob) -> None:
        assert job.timer is not None
        job.open = False
        job.timer.cancel()
        job.answered = time.perf_counter()
        self.outstanding -= job.tokens
        self.queue(job.model).outstanding -= job.tokens
        self.jobs -= 1
        if not self.jobs:
            self._emptied.set()
