"""`leanformer embedder`: a sentence encoder as a lean graph that turns texts into vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import OverwriteOption, SeedOption, ThreadsOption, need_torch, output_folder, say
from leanformer.errors import LeanformerError


def embedder(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Folder or hub name of a sentence encoder.")],
    texts: Annotated[Path, typer.Option(help="File of typical texts, on which the exported graph is checked.")],
    output: Annotated[Path, typer.Option(help="New folder for the artifact.")],
    pooling: Annotated[
        str | None, typer.Option(help="mean, first or max; default: as the sentence-transformers folder says.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=3, help="Longest input in tokens; default: as the folder says.")
    ] = None,
    precision: Annotated[str, typer.Option(help="int8 or fp32.")] = "int8",
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Convert the sentence encoder CHECKPOINT into an artifact for `leanformer predict` and `leanformer serve`."""
    from leanformer.export.embedder import POOLINGS, PRECISIONS, make_embedder
    from leanformer.outputs.place import check_apart

    if pooling not in (None, *POOLINGS) or precision not in PRECISIONS:
        raise LeanformerError(f"--pooling is one of {', '.join(POOLINGS)}, --precision one of {', '.join(PRECISIONS)}")
    output = output_folder(output, overwrite=overwrite)
    check_apart(output, [checkpoint, texts])
    need_torch("making a graph of an encoder")
    from leanformer.data.reading.readers import iterate_rows
    from leanformer.runtime.cores import default_threads

    rows = [row.text for row in iterate_rows(texts)]
    made = make_embedder(
        checkpoint, rows, output, pooling=pooling, max_tokens=max_tokens, precision=precision, seed=seed,
        threads=threads or default_threads(), say=say,
    )  # fmt: skip
    print(f"{output}: vectors of {made.task.width} numbers, {made.bytes / 1e6:.1f} MB")
