"""Running a job on this machine: the recipe with its cache, and measuring the model on dev."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import decide, form_of, score_logits
from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError, MissingExtraError
from leanformer.files import sha256_json
from leanformer.kept import keep, kept
from leanformer.ladder.operations import work_of
from leanformer.loading import open_predictor
from leanformer.machine import fingerprint
from leanformer.measure.energy import EnergySettings, meter
from leanformer.measure.lost import lost_labels
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.predictor import Predictor, logits, token_counts
from leanformer.progress import prefixed
from leanformer.recipe.run import Outcome, run_recipe
from leanformer.recipe.spec import Recipe
from leanformer.runtime.predictor import LightPredictor
from leanformer.search.jobs.executor import Job, Result
from leanformer.search.space.goals import TIMED
from leanformer.search.space.halving import share_of_data
from leanformer.step import Context
from leanformer.tagging.ragged import ragged

# Enough for a p95 of one text at a time, and short compared with any training.
SPEED = SpeedSettings(rounds=3, latency_texts=300, seconds=1.0)
FIGURES = "figures"
"""Folder in the work folder that keeps the figures of each model."""
_AGAIN = "measured again"


@dataclass(frozen=True)
class JobRunner:
    """Runs jobs in this process; see `search.jobs.executor` for jobs.

    Attributes:
        teacher: the model that all recipes start from. data: labels are in the teacher's order, and there is no test
            split: a search never reads it.
        work: holds steps under a hash of everything they depend on, so that trials share them, and figures.
        energy: meters the joules of each job; None measures time alone.
        shared: others run jobs in `work` at the same time (see `search.jobs.remote`).
    """

    teacher: Artifact
    data: Dataset
    work: Path
    threads: int = 1
    device: str = "auto"
    speed: SpeedSettings = SPEED
    energy: EnergySettings | None = None
    say: Callable[[str], None] = field(default=lambda line: None, compare=False)
    shared: bool = False

    def __post_init__(self) -> None:
        if self.data.test is not None:
            raise ValueError("a search reads no test split; take it out of the data")
        if self.data.dev is None or not self.data.dev.is_labelled:
            raise ValueError("a search chooses by a labelled dev split")

    def __call__(self, job: Job) -> Result:
        def work() -> Result:
            artifact = self.make(job)
            return {"figures": self.figures(artifact, job["runtime"]), "content_hash": artifact.content_hash}

        return self.metered(work)

    def metered(self, work: Callable[[], Result]) -> Result:
        """The result of the work, or why it failed, with its cost."""
        result: Result
        country = None if self.energy is None else self.energy.country
        # Short blocks too: their energy is an estimate, and the budget counts the sum of many.
        with meter("training", country=country, least_seconds=0.0, tracked=self.energy is not None) as block:
            try:
                result = work()
            except LeanformerError as error:
                result = {"failed": str(error)}
        spent = block.energy
        assert spent is not None
        return result | {
            "wall_seconds": round(spent.wall_seconds, 3),
            "cpu_seconds": round(spent.cpu_seconds, 3),
            "joules": spent.energy_joules,
        }

    def make(self, job: Job) -> Artifact:
        """The model of a job. Raises `LeanformerError` if its recipe cannot be run, or does not reach its last step."""
        outcome = self.run(job)
        steps = [step["name"] for step in job["recipe"]["steps"]]
        if steps[-1] not in outcome.artifacts:
            name = next(step for step in steps if step in outcome.left_out)
            raise LeanformerError(f"{name}: {outcome.left_out[name]}")
        return outcome.artifacts[steps[-1]]

    def run(self, job: Job) -> Outcome:
        """Run all steps of a job's recipe, reusing finished ones."""
        recipe = Recipe.from_json(job["recipe"])
        data = share_of_data(self.data, job["share"], job["seed"]) if job["over"] == "data" else self.data
        context = Context(
            data=data, artifacts={"teacher": self.teacher}, work=self.work, cache=self.work / "cache",
            seed=job["seed"], device=self.device, threads=self.threads, say=prefixed(self.say),
        )  # fmt: skip
        return run_recipe(recipe, self.teacher, context, self.work, shared=self.shared)

    def open(self, artifact: Artifact, runtime: Mapping[str, Any]) -> Predictor:
        """The model as a trial runs it. Raises `LeanformerError` for an engine that is missing or cannot run it."""

        def graph(artifact: Artifact) -> LightPredictor:
            try:
                predictor = LightPredictor(artifact, threads=self.threads, tuning=False, **runtime)
                predictor.infer(predictor.tokenize(self.dev.inputs[:1]))
            except ImportError as error:
                raise MissingExtraError(f"the engine {runtime.get('engine')}", str(runtime.get("engine"))) from error
            return predictor

        return open_predictor(artifact, threads=self.threads, graph=graph)

    @property
    def dev(self) -> Any:
        assert self.data.dev is not None
        return self.data.dev

    def figures(self, artifact: Artifact, runtime: Mapping[str, Any]) -> dict[str, Any]:
        """All of `goals.FIGURES`, and the labels `lost` against the teacher; stored, so that none is measured twice.

        `drop` is in points.
        """
        path = self._path("figures", ["lost", artifact.content_hash, dict(runtime), asdict(self.speed)])
        if (found := kept(path, self.say, again=_AGAIN)) is not None:
            return found
        predictor = self.open(artifact, runtime)
        judged = self.judged(predictor)
        figures = {
            **judged,
            "drop": 100 * (self.teacher_quality() - judged["quality"]),
            **self.times(predictor),
            **self.counts(artifact, predictor),
        }
        keep(path, figures)
        return figures

    def untimed(self, artifact: Artifact, runtime: Mapping[str, Any]) -> dict[str, Any]:
        """Those of `figures` that do not depend on the load of the machine, without `drop`; stored too."""
        path = self._path("untimed", ["lost", artifact.content_hash, dict(runtime)])
        if (found := kept(path, self.say, again=_AGAIN)) is None:
            predictor = self.open(artifact, runtime)
            found = {**self.judged(predictor), **self.counts(artifact, predictor)}
            keep(path, found)
        return found

    def timed(self, artifact: Artifact, runtime: Mapping[str, Any]) -> dict[str, Any]:
        """Only the timed ones of `figures`; stored too."""
        path = self._path("timed", [artifact.content_hash, dict(runtime), asdict(self.speed)])
        if (found := kept(path, self.say, again=_AGAIN)) is None:
            found = self.times(self.open(artifact, runtime))
            keep(path, found)
        return found

    def counts(self, artifact: Artifact, predictor: Predictor) -> dict[str, Any]:
        """Bytes, parameters, and operations per dev text."""
        lengths = token_counts(predictor, self.dev.inputs)[0]
        per_text = len(lengths) / len(self.dev)
        return {
            "bytes": artifact.bytes,
            "parameters": artifact.properties.get("parameters"),
            "flops_per_text": work_of(artifact, predictor, lengths, per_text)["flops_per_text"],
        }

    def judged(self, predictor: Predictor) -> dict[str, Any]:
        """`quality`, the task's metric on dev, and the labels that are `lost` (see `measure.lost`).

        Raises `LeanformerError` if the quality is NaN.
        """
        values, task = logits(predictor, self.dev.inputs), predictor.task
        quality = score_logits(values, self.dev.targets, task)
        if not math.isfinite(quality):
            raise LeanformerError("its quality on dev is not a number: it gives every text the same answer")
        if not task.named:
            return {"quality": quality, "lost": []}
        lost = lost_labels(decide(values, task), self.teacher_answers(), self.dev.targets, task)
        return {"quality": quality, "lost": list(lost)}

    def times(self, predictor: Predictor) -> dict[str, float]:
        """The timed ones of `goals.FIGURES`, on the dev texts."""
        (found,) = measure_speed([predictor], self.dev.inputs, self.speed)
        return {name: float(getattr(found, name)) for name in TIMED}

    def teacher_quality(self) -> float:
        """Quality of the unchanged teacher on dev."""
        path = self._path("teacher", [self.teacher.content_hash])
        found = kept(path, self.say, again=_AGAIN)
        if found is None:
            found = {"quality": score_logits(self._teacher_logits(), self.dev.targets, self.teacher.task)}
            keep(path, found)
        return float(found["quality"])

    def teacher_answers(self) -> np.ndarray:
        """The teacher's answers on dev, in the form of `decide`; stored, so that all machines use the same."""
        key = sha256_json([self.teacher.content_hash, self.dev.content_hash])
        path = self.work / FIGURES / f"answers-{key[:16]}.json"
        found = kept(path, self.say, again=_AGAIN)
        if found is None:
            found = {"answers": [answer.tolist() for answer in decide(self._teacher_logits(), self.teacher.task)]}
            keep(path, found)
        if form_of(self.teacher.task).per_word:
            return ragged([np.asarray(answer, dtype=np.int64) for answer in found["answers"]])
        return np.asarray(found["answers"])

    def _teacher_logits(self) -> np.ndarray:
        return logits(open_predictor(self.teacher, threads=self.threads), self.dev.inputs)

    def _path(self, kind: str, key: list[Any]) -> Path:
        """Where figures are stored: they are valid for this dev split and this machine."""
        whole = [*key, self.dev.content_hash, fingerprint(self.threads)]
        return self.work / FIGURES / f"{kind}-{sha256_json(whole)[:16]}.json"
