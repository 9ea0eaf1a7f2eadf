"""`leanformer curve`: quality by the number of training rows, and whether more labels would help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import (
    DataArgument,
    EncoderOption,
    KindOption,
    SeedOption,
    SplitOption,
    embed_with,
    open_data,
    say,
)
from leanformer.errors import LeanformerError


def curve(
    data: DataArgument,
    encoder: EncoderOption = None,
    sizes: Annotated[
        str | None,
        typer.Option(help="Numbers of training rows, such as 100,200,400; default: seven, from a twentieth of train."),
    ] = None,
    draws: Annotated[int, typer.Option(min=2, help="Random parts of train to measure at each size.")] = 5,
    more: Annotated[int, typer.Option(min=1, help="Further labels to judge.")] = 2000,
    worth: Annotated[float, typer.Option(min=0, help="Gain in points that makes more labels worth it.")] = 1.0,
    output: Annotated[Path | None, typer.Option(help="JSON file for all figures.")] = None,
    split: SplitOption = None,
    kind: KindOption = None,
    seed: SeedOption = 13,
) -> None:
    """Say whether more labels would help: quality on dev by the number of training rows, and the fitted curve."""
    from leanformer.answers.forms import form_of
    from leanformer.curate.learning_curve import learning_curve, need_splits, ngram_quality, vector_quality
    from leanformer.files import write_json
    from leanformer.outputs.written import check_file, is_curve
    from leanformer.render.learning_curve import curve_lines

    if output is not None:
        check_file(output, "a curve of `leanformer curve`", is_curve)
    numbers = [] if sizes is None else _numbers(sizes)
    opened = open_data(data, split, seed, kind=kind)
    for note in opened.notes:
        say(f"note: {note}")
    embed = embed_with(encoder)
    quality = ngram_quality(opened, seed=seed) if embed is None else vector_quality(opened, embed, seed=seed)
    rows = len(need_splits(opened)[0])
    metric = form_of(opened.task).metric
    found = learning_curve(quality, metric, rows, sizes=numbers, draws=draws, seed=seed, say=say)
    if output is not None:
        write_json(output, found.to_json(more, worth / 100))
    print("\n".join(curve_lines(found, more, worth)))


def _numbers(sizes: str) -> list[int]:
    try:
        return [int(size) for size in sizes.split(",")]
    except ValueError as error:
        raise LeanformerError(f"--sizes {sizes}: not whole numbers\n  remedy: --sizes 100,200,400") from error
