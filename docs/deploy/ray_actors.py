"""One address in front of the workers of many machines: `leanformer serve` with its workers as Ray actors.

    ray start --head                              on the first machine
    ray start --address=FIRST:6379                on each of the others
    python ray_actors.py FOLDER --replicas 8      on the first

Routes, limits, batching and the page are those of `leanformer serve`; only the workers are elsewhere. Ray spreads them
over the machines, one core each. A worker that is lost, with its machine or without, is replaced, and what it had is
given to others, once. Every machine needs `pip install ray 'leanformer[serve]'`, and the folder at the same path: on
storage that they share, or copied. Ray moves data between processes as pickles, so keep the cluster's own ports closed
to everybody else, as its documentation says.

These are actors, which the plain `ray` has, and not Ray Serve, whose queue, batches and replicas would stand in front
of a scheduler that has its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ray

from leanformer.errors import LeanformerError
from leanformer.serve.run import run
from leanformer.serve.settings import ServerSettings
from leanformer.serve.workers.jobs import WorkerBatch
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.wire import Answer, Ask
from leanformer.serve.workers.worker import engines_of, open_models, score, yield_to_others

_LONGEST_PAUSE_SECONDS = 10.0
_START_SECONDS = 300.0


class Scorer:
    """The models in a process of their own, somewhere in the cluster."""

    def __init__(self, folders: Sequence[str], tuning: bool, nice: int) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"
        yield_to_others(nice)
        self._predictors, self._contents = open_models(folders, tuning=tuning)

    def hello(self) -> tuple[list[str], int, list[dict[str, Any]]]:
        """What it opened (content hashes), its process, and what runs each model."""
        return self._contents, os.getpid(), engines_of(self._predictors)

    def score(self, model: int, exact: bool, rows: list[np.ndarray]) -> tuple[np.ndarray | None, float, str | None]:
        """Logits and the seconds they took; or what went wrong."""
        start = time.perf_counter()
        try:
            return score(self._predictors[model], Ask(0, model, exact, rows)), time.perf_counter() - start, None
        except Exception as error:  # whatever the engine raises is this pack's failure, not the worker's end
            return None, time.perf_counter() - start, f"{type(error).__name__}: {error}"[:500]


SCORER_ACTOR: Any = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(Scorer)


@dataclass(eq=False)
class RayWorker:
    """An actor as the scheduler sees it."""

    pool: RayPool
    actor: Any
    pid: int
    engines: list[dict[str, Any]]
    packs: dict[int, WorkerBatch] = field(default_factory=dict)

    def send(self, pack: WorkerBatch) -> None:
        self.pool.spawn(self._score(pack))

    async def _score(self, pack: WorkerBatch) -> None:
        asked = self.actor.score.remote(pack.model, pack.exact, pack.rows())
        try:
            logits, seconds, failure = await asyncio.wait_for(asked, self.pool.stuck_seconds)
        except (ray.exceptions.RayError, TimeoutError) as error:
            self.pool.lose(self, type(error).__name__)
            return
        if pack.number in self.packs:
            if failure is not None:
                self.pool.say("pack_failed", level="error", error=failure)
            self.pool.scheduler.answered(self, Answer(pack.number, seconds, logits, failure))


@dataclass(eq=False)
class RayPool:
    """Keeps `count` actors at work for a scheduler; the fields are those of `leanformer.serve.workers.pool.Pool`."""

    folders: Sequence[str]
    contents: Sequence[str]
    count: int
    stuck_seconds: float
    scheduler: Scheduler
    say: Callable[..., None]
    changed: Callable[[], None]
    tuning: bool = True
    nice: int = 0
    workers: list[RayWorker] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _ending: bool = False

    async def start(self) -> None:
        """Start all; ready when all are."""
        try:
            await asyncio.gather(*(self._start_one() for _ in range(self.count)))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all. What they have not answered is lost; wait for `Scheduler.empty` first."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self.workers:
            ray.kill(worker.actor)

    def spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lose(self, worker: RayWorker, reason: str) -> None:
        """Take away a worker that is dead or stuck, give its packs on, and put another in its place."""
        if self._ending or worker not in self.workers:
            return
        self.workers.remove(worker)
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(worker.actor)
        self.say("worker_lost", level="error", pid=worker.pid, reason=reason, packs=len(worker.packs))
        self.scheduler.lost(worker)
        self.spawn(self._replace())

    async def _start_one(self) -> None:
        actor = SCORER_ACTOR.remote(list(self.folders), self.tuning, self.nice)
        try:
            contents, pid, engines = await asyncio.wait_for(actor.hello.remote(), _START_SECONDS)
        except (ray.exceptions.RayError, TimeoutError) as error:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)
            raise LeanformerError(f"a worker did not start: {error}") from error
        if contents != list(self.contents):
            ray.kill(actor)
            raise LeanformerError(
                "the folder on one of the machines is not the one that the server opened\n"
                "  remedy: copy it there, and reload the server"
            )
        worker = RayWorker(self, actor, pid, engines)
        self.workers.append(worker)
        self.say("worker_started", pid=pid)
        self.scheduler.add(worker)

    async def _replace(self) -> None:
        pause = 0.1
        while True:
            try:
                return await self._start_one()
            except LeanformerError as error:
                self.say("worker_not_started", level="error", error=str(error), again_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="artifacts, each FOLDER or NAME=FOLDER")
    parser.add_argument("--replicas", type=int, default=2, help="workers in the whole cluster, one core each")
    parser.add_argument("--address", help="of the cluster; without one, one on this machine is found or started")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    from leanformer.cli.serve import named, read_key

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    ray.init(address=arguments.address, include_dashboard=False, log_to_driver=False)
    settings = ServerSettings(
        artifacts=named(arguments.folders), host=arguments.host, port=arguments.port, workers=arguments.replicas,
        key=read_key(None),
    )  # fmt: skip
    run(settings, RayPool)


if __name__ == "__main__":
    main()
