"""A complete search: from a model and data to the Pareto front as artifacts with a report."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.variety import require_variety
from leanformer.errors import RecipeError
from leanformer.files import sha256_json
from leanformer.formats import require
from leanformer.ladder.splits import prepare
from leanformer.measure.energy import EnergySettings
from leanformer.measure.speed import SpeedSettings
from leanformer.outputs.folders import check_folder
from leanformer.outputs.place import check_apart
from leanformer.outputs.work import check_work
from leanformer.progress import to_stdout
from leanformer.recipe.compress import DEFAULT_MAX_TOKENS
from leanformer.recipe.teacher import check_teacher, matching_notes, take_in
from leanformer.render.search import kept_off_words
from leanformer.report import Report
from leanformer.runtime.cores import default_threads
from leanformer.search.jobs.deliver import deliver
from leanformer.search.jobs.executor import Executor, Serial
from leanformer.search.jobs.latency import LatencyPredictor
from leanformer.search.jobs.local import FIGURES, SPEED, JobRunner
from leanformer.search.jobs.table import fill_table
from leanformer.search.space.space import Space
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.drive import drive, progress
from leanformer.search.study.journal import Journal
from leanformer.search.study.record import describe_search
from leanformer.search.study.sampler import SAMPLERS, Sampler
from leanformer.search.study.study import Study, check_identity

JOURNAL = "trials.jsonl"


@dataclass(frozen=True)
class Searched:
    """The result of a search.

    Attributes:
        front: trial number -> artifact in the output folder, by the first goal; empty if no trial keeps the bounds.
        record: all trials and their evaluation; `search.json`.
        report: the front compared with the teacher on test; None if there is no front.
    """

    front: dict[int, Artifact]
    record: dict[str, Any]
    report: Report | None


def search(
    space: Space,
    model: str,
    data: Dataset,
    output: Path,
    *,
    budget: SearchBudget,
    sampler: str = "tpe",
    work: Path | None = None,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    seed: int = 13,
    threads: int | None = None,
    device: str = "auto",
    energy: EnergySettings | None = None,
    speed: SpeedSettings = SPEED,
    final_speed: SpeedSettings | None = None,
    usd_per_hour: float | None = None,
    executor: Callable[[JobRunner], Executor] = Serial,
    allow_weak_teacher: bool = False,
    allow_lost_classes: bool = False,
    command: str | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = to_stdout,
) -> Searched:
    """Search `space` within `budget` and write the Pareto front to `output`.

    Trials see train, dev and unlabelled texts. The test split is read once, by the models of the finished front.

    Args:
        model: the teacher: one of our artifacts, a Hugging Face folder, or a hub name.
        output: new folder; an existing one must be of an earlier search, and is replaced at the very end.
        overwrite: that folder may hold other files, which are kept.
        sampler: one of `SAMPLERS`.
        work: journal, steps and figures, from which a killed search resumes; default: `output` plus `.work`.
        energy: meters every trial; needed for a budget in joules.
        speed: how each trial is timed, on dev texts. final_speed: how the front is timed, on test texts.
        executor: makes the executor of the jobs from a runner; see `search.jobs.executor`.
        allow_weak_teacher: continue with a model that scores no better on dev than a constant answer.
        allow_lost_classes: the front may contain models that miss labels which the teacher finds on dev.

    Raises `LeanformerError` for anything that the user can correct.
    """
    output = Path(os.path.abspath(output))
    check_folder(output, search=True, overwrite=overwrite)
    check_apart(output, [model])
    if sampler not in SAMPLERS:  # checked before the model is read
        raise RecipeError(f"no sampler is called {sampler!r}\n  remedy: one of {', '.join(SAMPLERS)}")
    if budget.joules is not None and energy is None:
        raise RecipeError("a budget in joules needs them to be metered\n  remedy: add --energy")
    require_variety(data)
    threads = default_threads() if threads is None else threads
    work = output.with_name(output.name + ".work") if work is None else work
    check_work(work, output)
    space = replace(space, goals=replace(space.goals, allow_lost=allow_lost_classes))
    teacher = take_in(model, work, max_tokens, data, say)
    require(teacher, "teaches", model)
    prepared = prepare(data, teacher, seed=seed, threads=threads)
    space.goals.check_metric(prepared.metric)
    for note in (*matching_notes(teacher, data), *prepared.data.notes):
        say(f"note: {note}")
    for note in check_teacher(teacher, prepared.labelled_dev, model, threads=threads, allowed=allow_weak_teacher):
        say(f"note: {note}")
    seen = replace(prepared.data, test=None)
    runner = JobRunner(teacher, seen, work, threads, device, speed, energy, say)
    identity = {
        "space": sha256_json(space.document), "data": seen.training_hash, "model": teacher.content_hash,
        "sampler": sampler, "seed": seed,
    }  # fmt: skip
    journal = Journal(work / JOURNAL, say)
    if not journal.events and (work / FIGURES).is_dir():
        say(
            f"warning: {work / JOURNAL}: missing or empty; the search begins again, with the steps that are still there"
        )
    try:
        check_identity(journal, identity)
        hands = executor(runner)  # unsupported settings are refused before anything is timed
        judge, table = _judge(space, runner, seed, say)
        study = Study(space, Sampler(space, sampler, seed, space.halving), journal, identity, judge)
        if study.trials:
            say(f"taken up again: {progress(study)}")
        why = drive(study, budget, hands, seed, say)
    finally:
        journal.close()
    say(f"the search ends, for {why}: {progress(study)}")
    record = describe_search(study, budget, why, {"sampler": sampler, "seed": seed, "metric": prepared.metric,
                             "teacher_quality": runner.teacher_quality(), "table": table})  # fmt: skip
    for line in kept_off_words(record):
        say(f"note: {line}")
    return Searched(
        *deliver(
            study, runner, prepared.data, record, output, metric=prepared.metric, seed=seed,
            speed=SpeedSettings() if final_speed is None else final_speed, usd_per_hour=usd_per_hour, command=command,
            say=say,
        )
    )  # fmt: skip


def _judge(
    space: Space, runner: JobRunner, seed: int, say: Callable[[str], None]
) -> tuple[LatencyPredictor | None, dict[str, float] | None]:
    """The predictor that the space requests, with its table; and the cost of the table.

    Raises `RecipeError` if the predictor would have nothing to predict.
    """
    if space.predicting is None:
        return None, None
    if not space.goals.timed:
        raise RecipeError(
            f"{space.source}: `predictor:` predicts latencies, and no goal or bound is one\n  remedy: leave it out"
        )
    judge = LatencyPredictor(runner.teacher, space.goals, runner.teacher_quality())
    return judge, fill_table(judge, space, runner, space.predicting.points, seed, say)
