"""`leanformer bench`: several artifacts measured on the same texts, in turn."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanformer.cli.arguments import (
    CountryOption,
    DataOption,
    EnergyOption,
    ExitsOption,
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
    artifacts: Annotated[
        list[Path],
        typer.Argument(metavar="ARTIFACT...", help="Folders of artifacts; for vectors also of sentence-transformers."),
    ],
    data: DataOption,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:CLASS",
            help="Your own predictor to measure as well, called with the first folder and threads.",
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(metavar="EMBEDDER", help="Embedder of the documents; each ARTIFACT then embeds queries alone."),
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
    exits: ExitsOption = True,
) -> None:
    """Measure quality, latency, throughput, size and cost of each ARTIFACT; the first is the reference.

    Embedders are measured on pairs of texts with scores, or by what they find: on a folder of documents, queries and
    judgements in BEIR's form.
    """
    from rich.console import Console

    from leanformer.answers.forms import metric_name
    from leanformer.cli.vectors import bench_retrieval, open_pairs_data, pair_entries, print_retrieval
    from leanformer.files import write_json
    from leanformer.ladder.ladder import measure_ladder
    from leanformer.measure.collection import is_collection
    from leanformer.measure.speed import SpeedSettings
    from leanformer.measure.vectors import gives_vectors
    from leanformer.outputs.written import check_file, is_bench, is_retrieval
    from leanformer.render.terminal import print_report
    from leanformer.runtime.cores import default_threads

    vectors = any(map(gives_vectors, artifacts))
    searched = vectors and is_collection(data)
    if output is not None:
        check_file(output, "a report of `leanformer bench`", is_retrieval if searched else is_bench)
    if index is not None and not searched:
        raise LeanformerError(
            "--index embeds documents, and here are none\n"
            "  remedy: leave it out, or give embedders and data with corpus.jsonl, queries.jsonl and qrels/test.tsv"
        )
    if vectors and also:
        raise LeanformerError("--also is measured beside models with labels\n  remedy: leave it out for embedders")
    cores, names = threads or default_threads(), bench_names(artifacts)
    with tempfile.TemporaryDirectory() as scratch:
        if searched:
            found = bench_retrieval(artifacts, names, Path(data), split, index, cores, Path(scratch))
            if output is not None:
                write_json(output, found)
            print_retrieval(found, as_json=as_json)
            return
        if vectors:
            examples = open_pairs_data(data, split, seed)
            entries = pair_entries(artifacts, names, examples, cores, tuning, Path(scratch))
        else:
            entries, examples = _labelled(artifacts, names, data, split, also, cores, tuning, seed, exits)
        for note in examples.notes:
            say(f"note: {note}")
        report = measure_ladder(
            entries, examples, title=f"bench on {examples.name}", metric=metric_name(entries[0].artifact.task),
            threads=cores, speed=SpeedSettings(rounds=rounds), usd_per_hour=usd_per_hour, memory=memory,
            energy=energy_settings(energy, country), seed=seed, further=further, need_dev=False, say=say,
        )  # fmt: skip
    routed = _routed(entries, examples.test.inputs)
    report = replace(report, command=command_line(), notes=(*report.notes, *routed))
    if output is not None:
        report.write(output)
    if as_json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        print_report(report, Console())


def _labelled(
    artifacts: Sequence[Path], names: Sequence[str], data: str, split: Sequence[str] | None,
    also: Sequence[str] | None, threads: int, tuning: bool, seed: int, exits: bool,
) -> tuple[list[Entry], Any]:  # fmt: skip
    """Artifacts of one task, and the user's own predictors, as rungs; and the data in that task."""
    from leanformer.artifact import open_artifact
    from leanformer.foreign import open_foreign
    from leanformer.ladder.entries import Entry, runtime_of
    from leanformer.loading import open_predictor

    opened = [open_artifact(path) for path in artifacts]
    if any(artifact.task.question != opened[0].task.question for artifact in opened):
        raise LeanformerError(
            "the artifacts have different kinds or labels; they cannot be measured on the same data\n"
            "  remedy: give artifacts of one task, labels in the same order"
        )
    entries: list[Entry] = []
    for name, artifact in zip(names, opened, strict=True):
        predictor = open_predictor(artifact, threads=threads, tuning=tuning, exits=exits)
        if (tuned := getattr(predictor, "tuning", None)) is not None:
            say(f"note: {name} runs as tuned here: {tuned.settings.describe(tuned.record['goal'])}")
        after = names[0] if entries else None
        entries.append(Entry(name, after, artifact, predictor, runtime_of(artifact, predictor, threads), True, False))
    for foreign_name in also or ():
        foreign = open_foreign(foreign_name, opened[0], threads=threads)
        entries.append(
            Entry(foreign_name, names[0], opened[0], foreign, foreign_name, False, False, opener=foreign_name)
        )
    return entries, open_data(data, split, seed, task=opened[0].task, single="test")


def _routed(entries: Sequence[Entry], texts: Sequence[Text]) -> list[str]:
    """For each cascade, and for early exits, a sentence on where the test texts were answered."""
    from leanformer.cascade.predictor import CascadePredictor
    from leanformer.predictor import logits
    from leanformer.render.cascade import left_early, went_on

    notes = []
    for entry in entries:
        if isinstance(entry.predictor, CascadePredictor):
            before = list(entry.predictor.answered)
            logits(entry.predictor, texts)
            counts = [now - then for now, then in zip(entry.predictor.answered, before, strict=True)]
            notes.append(f"of the test texts asked of the cascade {entry.name}, {went_on(counts)} went on")
        elif getattr(entry.predictor, "left_at", None) is not None:
            predictor: Any = entry.predictor
            before = predictor.left_at
            logits(predictor, texts)
            counts = [now - then for now, then in zip(predictor.left_at, before, strict=True)]
            notes.append(f"of the test texts of {entry.name} left early: {left_early(predictor.exits.layers, counts)}")
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
