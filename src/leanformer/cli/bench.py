"""`leanformer bench`: several artifacts measured on the same texts, in turn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import (
    DataOption,
    PriceOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    TuningOption,
    command_line,
    open_data,
    output_file,
    say,
)
from leanformer.errors import LeanformerError


def bench(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Folders of artifacts.")],
    data: DataOption,
    split: SplitOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    output: Annotated[Path | None, typer.Option(help="Also write the report as JSON to this file.")] = None,
    usd_per_hour: PriceOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timing rounds.")] = 3,
    memory: Annotated[bool, typer.Option(help="Measure the peak memory of each in a fresh process.")] = True,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    tuning: TuningOption = True,
) -> None:
    """Measure quality, latency, throughput, size and cost of each ARTIFACT; the first is the reference."""
    from rich.console import Console

    from leanformer.artifact import open_artifact
    from leanformer.loading import open_predictor
    from leanformer.measure.speed import SpeedSettings
    from leanformer.metrics.primary import metric_name
    from leanformer.recipe.ladder import Entry, measure_ladder
    from leanformer.render.terminal import print_report
    from leanformer.runtime.cores import allowed_cores

    if output is not None:
        output_file(output)
    cores = threads or allowed_cores()
    opened = [open_artifact(path) for path in artifacts]
    if any(one.task.question != opened[0].task.question for one in opened):
        raise LeanformerError("the artifacts have different kinds or labels; they cannot be measured on the same data")
    entries: list[Entry] = []
    for path, artifact in zip(artifacts, opened, strict=True):
        runtime = "ONNX Runtime" if artifact.format == "onnx" else "PyTorch"
        predictor = open_predictor(artifact, threads=cores, tuning=tuning)
        if (tuned := getattr(predictor, "tuning", None)) is not None:
            say(f"note: {path} runs as tuned here: {tuned.settings.describe(tuned.record['goal'])}")
        after = str(artifacts[0]) if entries else None
        entries.append(Entry(str(path), after, artifact, predictor, runtime, True, False))
    examples = open_data(data, split, seed, task=opened[0].task, single="test")
    for note in examples.notes:
        say(f"note: {note}")
    report = measure_ladder(
        entries, examples, title=f"bench on {examples.name}", metric=metric_name(opened[0].task), threads=cores,
        speed=SpeedSettings(rounds=rounds), usd_per_hour=usd_per_hour, memory=memory, seed=seed, need_dev=False,
        say=say,
    )  # fmt: skip
    report = replace(report, command=command_line())
    if output is not None:
        report.write(output)
    if as_json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        print_report(report, Console())
