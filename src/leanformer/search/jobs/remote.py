"""Trials on a Ray cluster: models are made wherever there are cores, and timed on this machine, one at a time.

The output of a trial does not depend on the load of a machine, but its latency does, and a front of models timed on
different machines would compare the machines. So a task makes the model and measures its quality on dev. The driver
takes the timed figures in its own process, one model after another, while no trial runs on its machine: trials on other
machines continue meanwhile, and no trial is started here until it is done. If no goal needs time, nothing is timed.

Journal, sampler and decisions stay in the driver. Steps, figures and unfinished work are in the work folder, on storage
that all machines see at the same path, so that any of them can resume a trial.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.cluster.connection import connected
from leanformer.cluster.pool import RETRIES, DiedError, TaskPool
from leanformer.data.dataset import Dataset
from leanformer.errors import ArtifactError, LeanformerError
from leanformer.runtime.cores import allowed_cores
from leanformer.search.jobs.executor import Job, Result
from leanformer.search.jobs.local import JobRunner


@contextmanager
def on_ray(
    address: str, *, cores: int, timed: bool, retries: int = RETRIES
) -> Iterator[Callable[[JobRunner], ClusterExecutor]]:
    """Connect to a cluster (see `cluster.connection.connected`); yields a function from a runner to an executor.

    Args:
        cores: per trial. timed: whether a goal, a bound or a predictor needs time (`Goals.needs_time`).
        retries: how often a trial is restarted if its worker died; after that it has failed.
    """
    with connected(address, local_cores=allowed_cores()) as ray:
        made: list[ClusterExecutor] = []

        def executor(runner: JobRunner) -> ClusterExecutor:
            made.append(ClusterExecutor(ray, runner, cores=cores, timed=timed, retries=retries))
            return made[-1]

        try:
            yield executor
        finally:
            for cluster_executor in made:
                cluster_executor.close()


class ClusterExecutor:
    """An `executor.Executor` on a connected cluster; see the module.

    Raises `LeanformerError` if energy is to be metered, a GPU is requested, or no machine has enough cores.
    """

    def __init__(self, ray: Any, runner: JobRunner, *, cores: int, timed: bool, retries: int = RETRIES) -> None:
        if runner.energy is not None:
            raise LeanformerError(
                "energy is metered for a whole machine, and on a cluster several trials share one\n"
                "  remedy: a budget in trials or minutes, without --energy"
            )
        if runner.device == "cuda":
            raise LeanformerError("on a cluster trials are given cores and no GPU\n  remedy: without --device cuda")
        self.runner, self._timed = runner, timed
        self._pool = TaskPool(ray, make_trial, cores, retries=retries, say=runner.say)
        setting = {
            "teacher": str(runner.teacher.path.resolve()), "content": runner.teacher.content_hash,
            "work": str(runner.work.resolve()), "cores": cores,
        }  # fmt: skip
        # Sent once, not with every trial. It has no test split: `JobRunner` refuses one.
        self._given = setting, ray.put(runner.data)
        if runner.teacher.task.named:
            runner.teacher_answers()  # stored before all workers need them at the same time
        self._jobs: dict[int, Job] = {}
        self._untimed: deque[tuple[Job, Result]] = deque()

    @property
    def workers(self) -> int:
        return self._pool.size

    def submit(self, job: Job) -> None:
        self._jobs[job["trial"]] = job  # a trial has at most one job at a time
        self._pool.add(job["trial"], *self._given, job)

    def take(self) -> tuple[Job, Result]:
        while True:
            if self._untimed and not self._pool.busy_here():
                job, result = self._untimed.popleft()
                return job, self._measured(job, result)
            self._pool.start(quiet=bool(self._untimed))
            try:
                ended = self._pool.take()
            except DiedError as error:
                return self._jobs.pop(error.args[1]), {"failed": error.args[0], "wall_seconds": 0.0, "cpu_seconds": 0.0}
            if ended is None:
                continue
            job, result = self._jobs.pop(ended[0]), ended[1]
            if "failed" in result:
                return job, result
            if not self._timed:
                return job, self._measured(job, result)
            self._untimed.append((job, result))

    def close(self) -> None:
        """Cancel running trials; their finished steps are kept."""
        self._pool.close()

    def _measured(self, job: Job, result: Result) -> Result:
        """A trial's result with what a worker cannot measure: the drop against the teacher, and the timed figures."""
        artifact = self._found(result)

        def work() -> Result:
            timed = self.runner.timed(artifact, job["runtime"]) if self._timed else {}
            drop = 100 * (self.runner.teacher_quality() - result["figures"]["quality"])
            return {"figures": result["figures"] | {"drop": drop} | timed, "content_hash": artifact.content_hash}

        found = self.runner.metered(work)
        spent = {name: round(result[name] + found[name], 3) for name in ("wall_seconds", "cpu_seconds")}
        return found | spent | {"joules": None}

    def _found(self, result: Result) -> Artifact:
        """The artifact that a worker made, in the work folder. Raises `LeanformerError` if it is not visible here."""
        folder = self.runner.work / "steps" / result["folder"]
        if not is_artifact(folder) or (found := open_artifact(folder)).content_hash != result["content_hash"]:
            raise LeanformerError(
                f"{folder}: a worker made a model there, and it is not what is seen from here\n"
                "  remedy: --work on storage that all machines share, at the same path"
            )
        return found


def make_trial(setting: dict[str, Any], data: Dataset, job: Job) -> Result:
    """On a worker: make the model of a job, and all of its figures that do not depend on load.

    Returns a result without `drop` and timed figures, with the `folder` of the model below steps/. Raises
    `LeanformerError` if the teacher here differs from the driver's.
    """
    cores = setting["cores"]
    teacher = _teacher(setting["teacher"], setting["content"])
    runner = JobRunner(teacher, data, Path(setting["work"]), cores, "cpu", shared=True)

    def work() -> Result:
        artifact = runner.make(job)
        figures = runner.untimed(artifact, job["runtime"])
        return {"figures": figures, "content_hash": artifact.content_hash, "folder": artifact.path.name}

    return runner.metered(work)


@lru_cache(maxsize=1)
def _teacher(path: str, content: str) -> Artifact:
    found = open_artifact(path)
    if found.content_hash != content:
        raise ArtifactError(
            f"{path}: is another model on this machine\n  remedy: put the model where all machines see the same"
        )
    return found
