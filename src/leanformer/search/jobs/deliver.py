"""The end of a search: its front, scored once on test, written as artifacts with a report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.files import sha256_json, write_json
from leanformer.formats import can, format_of
from leanformer.kept import keep
from leanformer.ladder.entries import Entry, baseline_entries
from leanformer.ladder.ladder import measure_ladder
from leanformer.measure.speed import SpeedSettings
from leanformer.outputs.folders import new_output
from leanformer.outputs.ours import SEARCH
from leanformer.recipe.delivery import read_measured
from leanformer.recipe.spec import Recipe
from leanformer.recipe.used import record_delivered
from leanformer.render.card import model_card
from leanformer.render.cascade import promise_notes
from leanformer.render.markdown import report_markdown
from leanformer.render.search import expected_chart, kept_off_words, search_markdown, trials_chart
from leanformer.report import Report
from leanformer.search.jobs.local import JobRunner
from leanformer.search.space.holes import describe
from leanformer.search.study.record import chosen_from
from leanformer.search.study.study import Study
from leanformer.search.study.trial import Trial

RECORD = SEARCH


def deliver(
    study: Study,
    runner: JobRunner,
    data: Dataset,
    record: dict[str, Any],
    output: Path,
    *,
    metric: str,
    seed: int,
    speed: SpeedSettings,
    usd_per_hour: float | None,
    command: str | None,
    say: Callable[[str], None],
) -> tuple[dict[int, Artifact], dict[str, Any], Report | None]:
    """Write the folder `output`: front/trial-N with each artifact, its recipe and card; the report; all trials.

    `data` has its test split. It is read only here, by the models of the front and the teacher.
    """
    front = study.front()
    made = {trial.number: runner.make(whole_job(study, trial, seed)) for trial in front}
    report = (
        _on_test(study, runner, data, front, made, metric, seed, speed, usd_per_hour, record, say) if front else None
    )
    if report is not None:
        report = replace(report, command=command)
    with new_output(output, say) as temporary:
        for trial in front:
            assert report is not None
            _write_one(temporary / place(trial), study, trial, made[trial.number], report, record, data)
        write_json(temporary / RECORD, record)
        body = search_markdown(record, chosen_from(record))
        if report is not None:
            report.write(temporary / "report.json")
            body += "\n## The front on test\n\n" + report_markdown(report)
        if data.dev_rows is not None:
            write_json(temporary / "dev_rows.json", {"taken_from": "train", "rows": list(data.dev_rows)})
        charts = {"trials.svg": trials_chart(record), "expected.svg": expected_chart(record)}
        for name, chart in charts.items():
            if chart:
                (temporary / name).write_text(chart, encoding="utf-8")
        (temporary / "report.md").write_text(body, encoding="utf-8")
    return {trial.number: open_artifact(output / place(trial)) for trial in front}, record, report


def place(trial: Trial) -> str:
    return f"front/trial-{trial.number:03}"


def whole_job(study: Study, trial: Trial, seed: int) -> dict[str, Any]:
    """The job of a finished trial with the whole training; its steps are in the cache."""
    filled = study.filled[trial.number]
    return {"trial": trial.number, "rung": len(study.shares) - 1, "share": 1.0, "over": None, "seed": seed,
            "recipe": filled.recipe.to_json(), "runtime": filled.runtime}  # fmt: skip


def _on_test(
    study: Study,
    runner: JobRunner,
    data: Dataset,
    front: list[Trial],
    made: dict[int, Artifact],
    metric: str,
    seed: int,
    speed: SpeedSettings,
    usd_per_hour: float | None,
    record: dict[str, Any],
    say: Callable[[str], None],
) -> Report:
    """The teacher in PyTorch and the front, measured together; existing figures are reused."""
    runtimes = [study.filled[trial.number].runtime for trial in front]
    title = f"{study.space.name} on {data.name}"
    models = [[made[trial.number].content_hash, runtime] for trial, runtime in zip(front, runtimes, strict=True)]
    key = sha256_json(["lost", models, data.content_hash, runner.threads, asdict(speed), usd_per_hour])
    place_kept = runner.work / f"front-{key[:16]}.json"
    names = [name_of(trial) for trial in front]
    if (report := read_measured(place_kept, runner.threads, say)) is None:
        entries = baseline_entries(runner.teacher, runner.threads)
        first = entries[-1].name
        for name, trial, runtime in zip(names, front, runtimes, strict=True):
            artifact = made[trial.number]
            predictor = runner.open(artifact, runtime)
            engine = getattr(predictor, "engine", "") if can(artifact, "light") else format_of(artifact).runs
            shown = f"{engine} {artifact.properties.get('precision', '')}".strip() + f", {runner.threads} threads"
            entries.append(Entry(name, first, artifact, predictor, shown, chooseable=True, lossless=False))
        report = measure_ladder(
            entries, data, title=title, metric=metric, threads=runner.threads, speed=speed, usd_per_hour=usd_per_hour,
            memory=False, seed=seed, say=say,
        )  # fmt: skip
        keep(place_kept, report.to_json())
    # The same models may be the front of a longer search, under other trial numbers.
    named = (*report.rungs[: -len(front)], *map(_renamed, report.rungs[-len(front) :], names))
    lost = [f"{rung.name!r} loses on dev: {', '.join(rung.lost)}" for rung in named if rung.lost]
    notes = (
        *lost,
        *kept_off_words(record),
        *(f"{name_of(trial)}: {note}" for trial in front for note in promise_notes(made[trial.number])),
        *data.notes,
        f"the front was found by {chosen_from(record)}; the test split was read once, at the end",
    )
    return replace(report, title=title, rungs=named, notes=notes)


def name_of(trial: Trial) -> str:
    return f"trial {trial.number}"


def _renamed(rung: Any, name: str) -> Any:
    return replace(rung, name=name)


def _write_one(
    folder: Path, study: Study, trial: Trial, artifact: Artifact, report: Report, record: dict[str, Any], data: Dataset
) -> None:
    """Write an artifact of the front with its card and the recipe that recreates it."""
    for name in artifact.names_to_copy:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.path / name, folder / name)
    record_delivered(folder, data)
    reason = f"nothing beats it on {' and '.join(study.space.goals.names)} among {chosen_from(record)}"
    choice = {"rung": name_of(trial), "status": "found by a search, not proven", "reason": reason}
    recipe = study.filled[trial.number].recipe
    own = replace(report, choice=choice, recipe=recipe.to_json() | {"seed": record["seed"]})
    own.write(folder / "report.json")
    (folder / "README.md").write_text(model_card(artifact, own), encoding="utf-8")
    (folder / "recipe.yaml").write_text(_recipe_yaml(recipe, study, trial), encoding="utf-8")


def _recipe_yaml(recipe: Recipe, study: Study, trial: Trial) -> str:
    """A recipe for `leanformer compress`: the same steps without holes."""
    runtime = study.filled[trial.number].runtime
    about = f"Trial {trial.number} of the search {study.space.name}: {describe(list(trial.params.items()))}."
    about += f" Run with {describe(list(runtime.items()))}." if runtime else ""
    steps = [
        {key: value for key, value in step.items() if not (key in ("uses", "rung", "after") and value is None)}
        for step in recipe.to_json()["steps"]
    ]
    steps[-1]["rung"] = name_of(trial)
    document = {"name": f"{recipe.name}-{trial.number}", "about": about, "steps": steps}
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))
