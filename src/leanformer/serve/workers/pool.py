"""The worker processes of one generation: started, read from, replaced when they die, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from leanformer.errors import LeanformerError
from leanformer.serve.settings import ONE_THREAD
from leanformer.serve.workers.jobs import Worker, WorkerBatch
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.wire import LENGTH, pack_ask, unpack_answer

_START_SECONDS = 300.0
END_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 10.0

Say = Callable[..., None]


@dataclass(eq=False)
class WorkerProcess:
    """The server's side of one process; `packs` has the unanswered packs, `engines` what runs each model in it."""

    process: asyncio.subprocess.Process
    contents: list[str]
    engines: list[dict[str, Any]] = field(default_factory=list)
    packs: dict[int, WorkerBatch] = field(default_factory=dict)

    def send(self, pack: WorkerBatch) -> None:
        assert self.process.stdin is not None
        # The process may have died a moment ago. Its end is noticed when its output ends, and the pack is then given to
        # another worker; asyncio's pipe ignores what is written after the end, and uvloop's raises.
        with contextlib.suppress(RuntimeError, OSError):
            self.process.stdin.write(pack_ask(pack.number, pack.model, pack.exact, pack.rows()))

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def end(self) -> None:
        """Let the process exit, and kill it if it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), END_SECONDS)
        except TimeoutError:
            self.kill()
            await self.process.wait()


async def start_worker(
    folders: Sequence[str], contents: Sequence[str], *, tuning: bool = True, nice: int = 0
) -> WorkerProcess:
    """Start a worker that has opened the artifacts.

    Raises `LeanformerError` if it cannot open them, or if their content hashes differ from `contents`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "leanformer.serve.workers.worker",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env=os.environ | ONE_THREAD, start_new_session=True,
    )  # fmt: skip
    worker = WorkerProcess(process, list(contents))
    try:
        order = json.dumps({"artifacts": list(folders), "tuning": tuning, "nice": nice}).encode()
        assert process.stdin is not None
        process.stdin.write(LENGTH.pack(len(order)) + order)
        hello = json.loads(await asyncio.wait_for(_frame(worker), _START_SECONDS))
        if "error" in hello:
            raise LeanformerError(hello["error"])
        if hello["contents"] != list(contents):
            raise ChangedError("an artifact was changed since the server opened it\n  remedy: reload the server")
        worker.engines = hello["engines"]
    except (asyncio.IncompleteReadError, TimeoutError) as error:
        worker.kill()
        await worker.end()
        raise LeanformerError(f"a worker ended, or did not start within {_START_SECONDS:g} s") from error
    except BaseException:
        worker.kill()
        await worker.end()
        raise
    return worker


class ChangedError(LeanformerError):
    """The artifact in the folder differs from the one that the server opened."""


async def _frame(worker: WorkerProcess) -> bytes:
    stream = worker.process.stdout
    assert stream is not None
    head = await stream.readexactly(LENGTH.size)
    return await stream.readexactly(LENGTH.unpack(head)[0])


Member = TypeVar("Member", bound="Worker")
Opened = TypeVar("Opened")


@dataclass(eq=False)
class Workers(ABC, Generic[Member, Opened]):
    """Keeps `count` workers running for a scheduler.

    Attributes:
        folders, contents: the artifacts and their required content hashes.
        tuning: run the artifacts as tuned for this machine.
        nice: by how much processes are nicer than this one.
        say: called with events, by name and with fields.
        changed: called when a folder no longer holds the artifact that was opened.
        restarts: number of workers replaced so far.
    """

    folders: Sequence[str]
    contents: Sequence[str]
    count: int
    stuck_seconds: float
    scheduler: Scheduler
    say: Say
    changed: Callable[[], None]
    tuning: bool = True
    nice: int = 0
    restarts: int = 0
    workers: list[Member] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _ending: bool = False

    @abstractmethod
    async def _open(self) -> Opened:
        """What another worker needs. Raises `LeanformerError`."""

    @abstractmethod
    def _take(self, opened: Opened) -> None:
        """Let it work."""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self) -> None:
        pause = 0.1
        while True:
            try:
                self._take(await self._open())
                return
            except LeanformerError as error:
                self.say("worker_not_started", level="error", error=str(error), again_seconds=pause)
                if isinstance(error, ChangedError):
                    self.changed()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


@dataclass(eq=False)
class WorkerPool(Workers[WorkerProcess, WorkerProcess]):
    """Workers that are processes."""

    async def start(self) -> None:
        """Start all workers; returns when all are ready. Raises the exception of the first that failed."""
        started = await asyncio.gather(
            *(self._open() for _ in range(self.count)),
            return_exceptions=True,
        )
        for result in started:
            if isinstance(result, WorkerProcess):
                self._take(result)
        failures = [result for result in started if isinstance(result, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]
        self._spawn(self._watch())

    async def stop(self) -> None:
        """Stop all workers. Unanswered packs are lost; wait for `Scheduler.empty` first."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(worker.end() for worker in self.workers), *self._tasks, return_exceptions=True)

    def _take(self, worker: WorkerProcess) -> None:
        self.workers.append(worker)
        self.say("worker_started", pid=worker.process.pid)
        self.scheduler.add(worker)
        self._spawn(self._listen(worker))

    async def _open(self) -> WorkerProcess:
        return await start_worker(self.folders, self.contents, tuning=self.tuning, nice=self.nice)

    async def _listen(self, worker: WorkerProcess) -> None:
        try:
            while True:
                answer = unpack_answer(await _frame(worker))
                if answer.failure is not None:
                    self.say("pack_failed", level="error", error=answer.failure)
                self.scheduler.answered(worker, answer)
        except (asyncio.IncompleteReadError, OSError):
            pass  # its output has ended, and so has the process
        except Exception as error:
            # An invalid frame: this worker cannot be used any further.
            self.say("worker_garbled", level="error", error=f"{type(error).__name__}: {error}")
        worker.kill()
        status = await worker.process.wait()
        self.workers.remove(worker)
        if self._ending:
            return
        self.restarts += 1
        self.say("worker_lost", level="error", pid=worker.process.pid, status=status, packs=len(worker.packs))
        self.scheduler.lost(worker)
        await self._replace()

    async def _watch(self) -> None:
        """Kill workers that are stuck; their end is then noticed like any other."""
        while True:
            await asyncio.sleep(min(1.0, self.stuck_seconds / 4))
            now = time.perf_counter()
            for worker in self.workers:
                oldest = min((pack.sent for pack in worker.packs.values()), default=now)
                if now - oldest > self.stuck_seconds:
                    self.say("worker_stuck", level="error", pid=worker.process.pid)
                    worker.kill()
