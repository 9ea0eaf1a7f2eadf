"""Workers as threads of the server's own process: no pipe between a request and the engine.

The engine releases Python's lock while it computes. What is saved is the way of a pack through two pipes and another
process; what it costs is the isolation: a crash in native code ends the server, and a stuck thread can be replaced but
not stopped. Processes (`pool.WorkerPool`) are the default.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

from leanformer.errors import LeanformerError
from leanformer.predictor import Predictor
from leanformer.serve.workers.jobs import WorkerBatch
from leanformer.serve.workers.pool import END_SECONDS, ChangedError, Workers
from leanformer.serve.workers.wire import Answer, Ask
from leanformer.serve.workers.worker import engines_of, open_models, score


@dataclass(eq=False)
class WorkerThread:
    """A thread with its own predictors; `packs` has the unanswered packs, `engines` what runs each model in it.

    `answered` is called in the event loop's thread, with the worker and the answer.
    """

    number: int
    predictors: Sequence[Predictor]
    answered: Callable[[WorkerThread, Answer], None]
    packs: dict[int, WorkerBatch] = field(default_factory=dict)
    engines: list[dict[str, Any]] = field(default_factory=list)
    _asked: SimpleQueue[WorkerBatch | None] = field(default_factory=SimpleQueue)

    def start(self) -> None:
        """Start the thread. Call it in the event loop's thread."""
        self.engines = engines_of(self.predictors)
        # A stuck thread must not keep the server from ending.
        self.thread = Thread(target=self._run, args=(asyncio.get_running_loop(),), daemon=True)
        self.thread.start()

    def send(self, pack: WorkerBatch) -> None:
        self._asked.put(pack)

    def end(self) -> None:
        """Let the thread end after what it was sent."""
        self._asked.put(None)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (pack := self._asked.get()) is not None:
            start = time.perf_counter()
            try:
                ask = Ask(pack.number, pack.model, pack.exact, pack.rows())
                logits, failure = score(self.predictors[pack.model], ask), None
            except Exception as error:  # any error of the engine fails this pack, not the worker
                logits, failure = None, f"{type(error).__name__}: {error}"[:500]
            answer = Answer(pack.number, time.perf_counter() - start, logits, failure)
            try:
                loop.call_soon_threadsafe(self.answered, self, answer)
            except RuntimeError:  # the server has ended meanwhile
                return


@dataclass(eq=False)
class ThreadPool(Workers[WorkerThread, list[Predictor]]):
    """Workers that are threads.

    A thread that is longer than `stuck_seconds` with one pack gets no more, its packs are retried once by another
    thread, and its answers are not used.
    """

    _started: int = 0

    async def start(self) -> None:
        """Open the models, once for each thread.

        Raises `LeanformerError` if one cannot be opened, or if their content hashes differ from `contents`.
        """
        for predictors in [await self._open() for _ in range(self.count)]:
            self._take(predictors)
        self._spawn(self._watch())

    async def stop(self) -> None:
        """Let all threads end. Unanswered packs are lost; wait for `Scheduler.empty` first."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        for worker in self.workers:
            worker.end()
        joins = (asyncio.to_thread(worker.thread.join, END_SECONDS) for worker in self.workers)
        await asyncio.gather(*joins, *self._tasks, return_exceptions=True)

    async def _open(self) -> list[Predictor]:
        # Predictors of a lost thread are not used again: the engine may be in the middle of something.
        return await asyncio.to_thread(self._opened)

    def _opened(self) -> list[Predictor]:
        try:
            predictors, contents = open_models(self.folders, tuning=self.tuning)
        except LeanformerError:
            raise
        except Exception as error:  # whatever it is, a later attempt may succeed, as with a process that ended
            raise LeanformerError(f"a worker could not open the models: {type(error).__name__}: {error}") from error
        if contents != list(self.contents):
            raise ChangedError("an artifact was changed since the server opened it\n  remedy: reload the server")
        return predictors

    def _take(self, opened: list[Predictor]) -> None:
        self._started += 1
        worker = WorkerThread(self._started, opened, self._answered)
        worker.start()
        self.workers.append(worker)
        self.say("worker_started", thread=worker.number)
        self.scheduler.add(worker)

    def _answered(self, worker: WorkerThread, answer: Answer) -> None:
        if answer.pack not in worker.packs:  # given up while it was stuck
            return
        if answer.failure is not None:
            self.say("pack_failed", level="error", error=answer.failure)
        try:
            self.scheduler.answered(worker, answer)
        except Exception as error:  # an answer of another shape: this worker cannot be used any further
            self.say("worker_garbled", level="error", error=f"{type(error).__name__}: {error}"[:500])
            self._lose(worker)

    async def _watch(self) -> None:
        """Put other threads in the place of those that are stuck."""
        while True:
            await asyncio.sleep(min(1.0, self.stuck_seconds / 4))
            now = time.perf_counter()
            for worker in list(self.workers):
                oldest = min((pack.sent for pack in worker.packs.values()), default=now)
                if now - oldest > self.stuck_seconds:
                    self.say("worker_stuck", level="error", thread=worker.number)
                    self._lose(worker)

    def _lose(self, worker: WorkerThread) -> None:
        """Give up a thread; another one takes its place as soon as the models can be opened."""
        if self._ending:
            return
        self.restarts += 1
        self.say("worker_lost", level="error", thread=worker.number, packs=len(worker.packs))
        self.workers.remove(worker)
        worker.end()
        self.scheduler.lost(worker)
        # Beside the watch: while one cannot be replaced, the others are watched all the same.
        self._spawn(self._replace())
