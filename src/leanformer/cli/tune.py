"""`leanformer tune`: the fastest way to run an artifact on this machine, found by trying."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from leanformer.cli.arguments import DataOption, SeedOption, SplitOption, ThreadsOption, open_data, say
from leanformer.errors import LeanformerError

# From the most like what will be asked to the least.
_SPLITS = ("unlabelled", "test", "dev", "train")


def tune(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Folder of an artifact of format onnx.")],
    data: DataOption,
    goal: Annotated[
        str, typer.Option(help="throughput: many texts at once; latency: one text at a time.")
    ] = "throughput",
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="ARTIFACT", help="The same model in another precision, e.g. the fp32 graph, to time as well."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Approximate time budget in seconds.")] = 60.0,
    threads: ThreadsOption = None,
    texts: Annotated[
        int | None, typer.Option(min=16, help="Texts per round; default: as many as fit in the time.")
    ] = None,
    max_changed: Annotated[
        float, typer.Option(min=0, max=1, help="Discard settings that change a larger share of the answers.")
    ] = 0.01,
    split: SplitOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the stored settings as JSON.")] = False,
    seed: SeedOption = 13,
) -> None:
    """Time engines, threads, workers and batch sizes on your own texts, and store the fastest settings with ARTIFACT.

    The settings apply to this CPU, number of cores and engine versions; predict, bench and serve use them.
    """
    from leanformer.artifact import open_artifact
    from leanformer.data.examples import sampled
    from leanformer.files import write_json
    from leanformer.formats import require
    from leanformer.runtime.cores import default_threads
    from leanformer.runtime.settings import GOALS, tuning_path
    from leanformer.tune.opening import LEAST_TEXTS
    from leanformer.tune.tune import tune

    if goal not in GOALS:
        raise LeanformerError(f"--goal {goal}: no such goal\n  remedy: one of {', '.join(GOALS)}")
    cores = threads or default_threads()
    opened, *siblings = [open_artifact(path) for path in (artifact, *(also or ()))]
    for model in (opened, *siblings):
        require(model, "light")
    for sibling in siblings:
        if sibling.task.question != opened.task.question or sibling.max_tokens != opened.max_tokens:
            raise LeanformerError(
                f"{sibling.path}: its task or length is not that of {opened.path}\n"
                "  remedy: give the same model in another precision"
            )
        if sibling.content_hash == opened.content_hash:
            raise LeanformerError(f"{sibling.path}: the same content as {opened.path}\n  remedy: leave it out")
    path = tuning_path(opened, cores)
    _check_writable(path)
    examples = open_data(data, split, seed, task=opened.task)
    for note in examples.notes:
        say(f"note: {note}")
    part = next((getattr(examples, name) for name in _SPLITS if getattr(examples, name)), None)
    found = len(part) if part is not None else 0
    if part is None or found < max(LEAST_TEXTS, texts or 0):
        raise LeanformerError(
            f"{data}: {found} texts, and {max(LEAST_TEXTS, texts or 0)} are needed\n"
            "  remedy: give more texts, of typical length" + (", or fewer --texts" if texts else "")
        )
    record = tune(
        opened, _shuffled(sampled(part, 4096, seed), seed), goal=goal, seconds=seconds, cores=cores, siblings=siblings,
        turn_texts=texts, max_changed=max_changed, seed=seed, say=say,
    )  # fmt: skip
    write_json(path, record)
    if as_json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        _show(record, path)


def _shuffled(texts: Any, seed: int) -> list[Any]:
    """A turn takes the first ones, and a file may be sorted by length."""
    from random import Random

    return Random(seed).sample(texts, len(texts))


def _check_writable(path: Path) -> None:
    """Said before the work, not after it."""
    folder = path.parent if path.parent.exists() else path.parent.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise LeanformerError(f"{folder}: cannot be written to\n  remedy: tune a copy of the artifact that can")


def _show(record: dict[str, Any], path: Path) -> None:
    from leanformer.render.tuning import tuning_lines

    for line in tuning_lines(record):
        print(line)
    print(f"stored in {path}")
