"""The main job: from a fine-tuned model and data, the leanest model that still does the task, with its ladder."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from leanformer.answers.forms import metric_name
from leanformer.artifact import Artifact, is_artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.variety import require_variety
from leanformer.errors import LeanformerError, RecipeError, need_torch
from leanformer.files import sha256_json
from leanformer.formats import require
from leanformer.kept import keep
from leanformer.ladder.choose import GOALS, choose
from leanformer.ladder.floor import Floor, make_floor
from leanformer.ladder.ladder import measure_ladder
from leanformer.ladder.on_request import NOTHING, Further
from leanformer.ladder.ratios import slow_int8
from leanformer.ladder.splits import known_task, prepare
from leanformer.ladder.timing import Choosing
from leanformer.measure.effort import read_effort
from leanformer.measure.energy import EnergySettings
from leanformer.measure.speed import SpeedSettings
from leanformer.outputs.folders import check_folder
from leanformer.outputs.place import check_apart
from leanformer.outputs.work import check_work
from leanformer.progress import to_stdout
from leanformer.recipe.delivery import Compressed, choice_json, deliver, entries_of, read_measured
from leanformer.recipe.embedder import is_embedder, pair_entries, prepare_embedder
from leanformer.recipe.family import make_family
from leanformer.recipe.library import find_recipe
from leanformer.recipe.opening import make_teacher, opened_with
from leanformer.recipe.run import run_recipe
from leanformer.recipe.spec import Recipe
from leanformer.recipe.teacher import check_teacher, cut_notes, matching_notes, reread, take_in
from leanformer.runtime.cores import default_threads
from leanformer.step import Context

DEFAULT_MAX_TOKENS = 128


def compress(
    model: str | Path | Artifact,
    data: str | Path | Dataset,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "quick",
    options: Mapping[str, Any] | None = None,
    max_drop: float = 1.0,
    goal: str = "throughput",
    splits: Mapping[str, str] | None = None,
    kind: str | None = None,
    work: str | Path | None = None,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    long: str | None = None,
    overlap: int | None = None,
    seed: int = 13,
    threads: int | None = None,
    device: str = "auto",
    usd_per_hour: float | None = None,
    speed: SpeedSettings | None = None,
    memory: bool = True,
    energy: EnergySettings | bool | None = None,
    further: Further = NOTHING,
    floor: bool = True,
    allow_weak_teacher: bool = False,
    allow_lost_classes: bool = False,
    command: str | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = to_stdout,
) -> Compressed:
    """Compress `model` with a recipe, measure every rung, and write the best one to `output` with its report and card.

    Args:
        model: a fine-tuned model, or an embedder: an artifact, a folder of Hugging Face or sentence-transformers, or a
            hub name.
        data: a folder with train, dev and test files, one such file, "hub:NAME", or an open data set.
        output: folder to create. An artifact that is already there is replaced when the run has finished.
        recipe: name of a shipped recipe, path of a YAML file, or a recipe.
        options: changes to the recipe, such as {"student.layers": 2}.
        max_drop: largest loss of quality on dev, in points, that the result may have.
        goal: what to optimise: "throughput", "latency" or "size".
        splits: split -> another file, as in `open_dataset`.
        kind: kind of task; None takes the model's, or else the one that the data show.
        work: folder for intermediate results, from which a killed run resumes; default: `output` plus `.work`.
        max_tokens: longest input in tokens. An artifact keeps its own.
        long: how longer texts are read: whole, in "windows" whose logits are averaged, or "truncate"; None: as `model`.
        overlap: tokens that a window repeats of the one before.
        seed: seed of everything random.
        threads: number of cores to use; None takes those that this process may use.
        device: "auto", "cpu" or "cuda".
        usd_per_hour: price of the machine in USD; None takes the default of `measure.cost`.
        speed: how long to time each rung.
        memory: measure the peak memory of each rung in a fresh process.
        energy: True, or settings, to meter the energy of every step and rung; otherwise only time is taken.
        further: additional measurements of every rung.
        floor: train a linear model on n-grams on the same texts, and compare every rung with it.
        allow_weak_teacher: continue with a model that scores no better on dev than a constant answer.
        allow_lost_classes: also choose a rung that misses labels which the teacher finds on dev.
        command: command line to record in the report.
        overwrite: the folder may hold other files too; they are kept.
        say: called with each line of progress.

    Raises `LeanformerError` for anything that the user can correct. Where its message names an option of the command,
    such as `--max-tokens`, that is the argument `max_tokens`; `--split test=FILE` is `splits={"test": FILE}`, and
    `--set student.layers=2` is `options={"student.layers": 2}`.
    """
    output = Path(os.path.abspath(output))
    check_folder(output, overwrite=overwrite)
    if isinstance(recipe, str | Path):
        check_apart(output, [recipe])
    if goal not in GOALS:  # checked now, not after an hour of work
        raise RecipeError(f"unknown goal {goal!r}; one of {', '.join(GOALS)}")
    if not math.isfinite(max_drop):
        raise RecipeError(f"max_drop is a number of points, not {max_drop}")
    if usd_per_hour is not None and not (math.isfinite(usd_per_hour) and usd_per_hour >= 0):
        raise RecipeError(f"usd_per_hour is a price of 0 or more, not {usd_per_hour}")
    need_torch("compressing")
    from leanformer.models.store import device_of

    device_of(device)
    energy = EnergySettings() if energy is True else energy or None
    recipe = recipe if isinstance(recipe, Recipe) else find_recipe(recipe)
    if options:
        recipe = recipe.with_options(dict(options))
    model = str(model.path if isinstance(model, Artifact) else model)
    if Path(model).exists() and output.exists() and Path(model).samefile(output):
        raise LeanformerError(f"{output}: is the model itself; it will not be overwritten\n  remedy: another --output")
    check_apart(output, [model])
    threads = default_threads() if threads is None else threads
    work = output.with_name(output.name + ".work") if work is None else Path(work)
    if vectors := recipe.opening is None and is_embedder(model):
        check_work(work, output)
        embedding = prepare_embedder(model, data, work, splits=splits, seed=seed, threads=threads, say=say)
        teacher, learnt, data, metric = embedding.teacher, embedding.texts, embedding.pairs, embedding.metric
        for note in data.notes:
            say(f"note: {note}")
    else:
        if not isinstance(data, Dataset):
            if (task := known_task(model) if recipe.opening is None else None) is not None:
                metric_name(task)  # a task without a metric is refused now
            data = open_dataset(data, splits=splits, seed=seed, task=task, kind=kind)
        if any(step.step.trains for step in recipe.steps):
            require_variety(data)
        check_work(work, output)
        if (opening := recipe.opening) is not None:
            recipe, opening = opened_with(recipe, opening, {"long": long, "overlap": overlap})
            given = Context(replace(data, test=None), {}, work, work / "cache", seed, device, threads, say)
            model = str(make_teacher(recipe, opening, model, max_tokens, given, energy).path)
        teacher = take_in(model, work, max_tokens, data, say)
        require(teacher, "teaches", model)
        if opening is None:
            teacher = reread(teacher, long, overlap, work, say)
        say(
            f"teacher: {model}: {teacher.format}, {teacher.task.kind}, {len(teacher.task.labels)} labels, "
            f"{teacher.bytes / 1e6:.1f} MB"
        )
        matching = matching_notes(teacher, data)
        prepared = prepare(data, teacher, seed=seed, threads=threads)
        for note in matching:  # before the check, whose result they may explain
            say(f"note: {note}")
        weak = check_teacher(teacher, prepared.labelled_dev, model, threads=threads, allowed=allow_weak_teacher)
        notes = [*weak, *prepared.data.notes, *_warnings(model, teacher, prepared.data, max_tokens, opening is None)]
        for note in notes:
            say(f"note: {note}")
        data, metric = replace(prepared.data, notes=(*matching, *notes)), prepared.metric
        learnt = replace(data, test=None)
    # A missing column is reported now, not after an hour of work.
    asked = [] if data.test is None else _asked(energy, further, further.prepare(data.test, threads))
    context = Context(
        data=learnt, artifacts={"teacher": teacher}, work=work, cache=work / "cache", seed=seed,
        device=device, threads=threads, say=say,
    )  # fmt: skip
    outcome = run_recipe(recipe, teacher, context, work, energy)
    ground = make_floor(context.data, work, seed=seed, energy=energy, say=say) if floor and not vectors else Floor()
    entries = entries_of(recipe, outcome, teacher, threads, ground.entries)
    if vectors:
        entries = pair_entries(entries)
    notes = [
        *ground.notes,
        *outcome.notes,
        *(f"left out: {name}: {reason}" for name, reason in outcome.left_out.items()),
    ]
    settings = SpeedSettings() if speed is None else speed
    key = sha256_json(
        [[[e.name, e.after, e.runtime, e.artifact.content_hash] for e in entries], data.content_hash, threads,
         usd_per_hour, metric, memory, settings.__dict__, "lost labels", "clean test", *asked]
    )  # fmt: skip
    measured = work / f"measured-{key[:16]}.json"
    title, report = f"{recipe.name} on {data.name}", read_measured(measured, threads, say)
    if report is not None:
        say(f"measurements found in {measured}")
        report = replace(report, title=title, notes=(*data.notes, *notes))
    else:
        report = measure_ladder(
            entries, data, title=title, metric=metric, threads=threads,
            speed=settings, usd_per_hour=usd_per_hour, memory=memory, energy=energy, further=further,
            seed=seed, notes=notes, choosing=Choosing(goal, max_drop, allow_lost_classes), say=say,
        )  # fmt: skip
        keep(measured, report.to_json())
    choice = choose(report.rungs, goal=goal, max_drop=max_drop, allow_lost=allow_lost_classes)
    blind = [rung for rung in report.rungs if rung.lost and rung.chooseable]
    lost = [f"{rung.name!r} loses on dev: {', '.join(rung.lost)}" for rung in blind]
    report = replace(report, notes=(*lost, *report.notes))
    report = replace(report, notes=(*report.notes, *slow_int8(report.rungs)))
    efforts = (read_effort(teacher.path, "teacher", "train.fine_tune", say), *outcome.efforts, *ground.efforts)
    report = replace(
        report, recipe=recipe.to_json() | {"seed": seed}, choice=choice_json(choice, goal, max_drop), command=command,
        training=tuple(asdict(effort) for effort in efforts),
    )  # fmt: skip
    family = None
    if recipe.family:
        family = make_family(
            recipe, report, entries, teacher, data, work, threads=threads, say=say, allow_lost=allow_lost_classes
        )
    artifact = deliver(entries[report.rungs.index(choice.rung)].artifact, output, report, data, say, family)
    return Compressed(artifact, report, choice.within)


def _asked(energy: EnergySettings | None, further: Further, prepared: Mapping[str, Any]) -> list[Any]:
    """The measurements requested beyond the ladder, for the key of the figures; columns with their values."""
    metering = [] if energy is None else [asdict(energy)]
    return metering if further == NOTHING else [*metering, further.key(prepared)]


def _warnings(model: str, teacher: Artifact, data: Dataset, max_tokens: int, elsewhere: bool) -> list[str]:
    """Notes on teacher and data that a reader of the report needs before any figure."""
    notes = cut_notes(teacher, data)
    if is_artifact(model) and max_tokens != DEFAULT_MAX_TOKENS and max_tokens != teacher.max_tokens:
        notes.append(f"the model was trained for {teacher.max_tokens} tokens; --max-tokens {max_tokens} is ignored")
    trained_on = teacher.history[0].get("data", {}).get("training_hash") if teacher.history and elsewhere else None
    if trained_on is not None and data.dev_rows is not None and trained_on != data.training_hash:
        notes.append(
            "dev was taken out of train here, and the teacher was trained on another division of the data: dev figures "
            "may be too good (use the same --seed and files as for `leanformer train`)"
        )
    return notes
