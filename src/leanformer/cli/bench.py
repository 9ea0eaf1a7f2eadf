"""`leanformer bench`: several artifacts measured on the same texts, in turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanformer.cli.arguments import (
    CountryOption,
    DataOption,
    EnergyOption,
    PriceOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    TuningOption,
    command_line,
    energy_settings,
    open_data,
    say,
)
from leanformer.cli.measurements import with_measurements
from leanformer.errors import LeanformerError
from leanformer.task import Text

if TYPE_CHECKING:
    from leanformer.ladder.entries import Entry


@with_measurements
def bench(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Folders of artifacts.")],
    data: DataOption,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:CLASS",
            help="Your own predictor to measure as well, called with the first folder and threads.",
        ),
    ] = None,
    split: SplitOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    output: Annotated[Path | None, typer.Option(help="Also write the report as JSON to this file.")] = None,
    usd_per_hour: PriceOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timing rounds of every model.")] = 5,
    memory: Annotated[bool, typer.Option(help="Measure the peak memory of each in a fresh process.")] = True,
    energy: EnergyOption = False,
    country: CountryOption = None,
    further: Any = None,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    tuning: TuningOption = True,
) -> None:
    """Measure quality, latency, throughput, size and cost of each ARTIFACT; the first is the reference."""
    from rich.console import Console

    from leanformer.answers.forms import metric_name
    from leanformer.artifact import open_artifact
    from leanformer.foreign import open_foreign
    from leanformer.ladder.entries import Entry, runtime_of
    from leanformer.ladder.ladder import measure_ladder
    from leanformer.loading import open_predictor
    from leanformer.measure.speed import SpeedSettings
    from leanformer.outputs.written import check_file, is_bench
    from leanformer.render.terminal import print_report
    from leanformer.runtime.cores import default_threads

    if output is not None:
        check_file(output, "a report of `leanformer bench`", is_bench)
    cores, metering = threads or default_threads(), energy_settings(energy, country)
    opened = [open_artifact(path) for path in artifacts]
    if any(artifact.task.question != opened[0].task.question for artifact in opened):
        raise LeanformerError(
            "the artifacts have different kinds or labels; they cannot be measured on the same data\n"
            "  remedy: give artifacts of one task, labels in the same order"
        )
    entries: list[Entry] = []
    names = bench_names(artifacts)
    for name, artifact in zip(names, opened, strict=True):
        predictor = open_predictor(artifact, threads=cores, tuning=tuning)
        if (tuned := getattr(predictor, "tuning", None)) is not None:
            say(f"note: {name} runs as tuned here: {tuned.settings.describe(tuned.record['goal'])}")
        after = names[0] if entries else None
        entries.append(Entry(name, after, artifact, predictor, runtime_of(artifact, predictor, cores), True, False))
    for foreign_name in also or ():
        foreign = open_foreign(foreign_name, opened[0], threads=cores)
        entries.append(
            Entry(foreign_name, names[0], opened[0], foreign, foreign_name, False, False, opener=foreign_name)
        )
    metric = metric_name(opened[0].task)
    examples = open_data(data, split, seed, task=opened[0].task, single="test")
    for note in examples.notes:
        say(f"note: {note}")
    report = measure_ladder(
        entries, examples, title=f"bench on {examples.name}", metric=metric, threads=cores,
        speed=SpeedSettings(rounds=rounds), usd_per_hour=usd_per_hour, memory=memory, energy=metering, seed=seed,
        further=further, need_dev=False, say=say,
    )  # fmt: skip
    routed = _routed(entries, examples.test.inputs)
    report = replace(report, command=command_line(), notes=(*report.notes, *routed))
    if output is not None:
        report.write(output)
    if as_json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        print_report(report, Console())


def _routed(entries: Sequence[Entry], texts: Sequence[Text]) -> list[str]:
    """For each cascade, a sentence on the share of the test texts that went on to a larger model."""
    from leanformer.cascade.predictor import CascadePredictor
    from leanformer.predictor import logits
    from leanformer.render.cascade import went_on

    notes = []
    for entry in entries:
        if isinstance(entry.predictor, CascadePredictor):
            before = list(entry.predictor.answered)
            logits(entry.predictor, texts)
            counts = [now - then for now, then in zip(entry.predictor.answered, before, strict=True)]
            notes.append(f"of the test texts asked of the cascade {entry.name}, {went_on(counts)} went on")
    return notes


def bench_names(paths: Sequence[Path]) -> list[str]:
    """The ends of the paths, as short as tells them apart: a report may travel, and where it was made need not."""
    whole = [path.resolve().parts for path in paths]
    for count in range(1, max(map(len, whole)) + 1):
        names = ["/".join(parts[-count:]) for parts in whole]
        if len(set(names)) == len(set(whole)):
            break
    # The same folder may be measured twice, to see how far figures scatter.
    return [f"{name} ({names[: i + 1].count(name)})" if name in names[:i] else name for i, name in enumerate(names)]
