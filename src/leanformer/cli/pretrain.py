"""`leanformer pretrain`: a small general encoder for students to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import DeviceOption, OverwriteOption, SeedOption, ThreadsOption, output_folder, say
from leanformer.errors import LeanformerError


def pretrain(
    like: Annotated[str, typer.Option(help="Encoder to learn from: a Hugging Face folder or name, or an artifact.")],
    shape: Annotated[str, typer.Option(help="Layers and width of the new encoder, such as 3x384, or layers.")],
    texts: Annotated[
        Path, typer.Option(help="File of raw texts (.txt with one per line, .jsonl), or a folder of them.")
    ],
    output: Annotated[Path, typer.Option(help="New folder for the encoder.")],
    objective: Annotated[
        str,
        typer.Option(help="What is learnt of the encoder: relations, tinybert, logits of a classifier, or vectors."),
    ] = "relations",
    initial: Annotated[
        str, typer.Option(help="First weights: layers of the encoder where widths are equal; or random.")
    ] = "layers",
    heads: Annotated[
        int | None, typer.Option(min=1, help="Attention heads per layer; default: as the encoder.")
    ] = None,
    ffn: Annotated[
        int | None, typer.Option(min=1, help="Feed-forward units per layer; default: as the encoder.")
    ] = None,
    layer: Annotated[
        int | None, typer.Option(min=1, help="Layer to follow, from 1; default: the last, of 24 the 21st.")
    ] = None,
    relation_heads: Annotated[
        int | None, typer.Option(min=1, help="Heads that relations are split into; default: by the widths.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Optimiser steps; default: 2000.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Instead of --steps: as many as take about this time here.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts per optimiser step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0, help="Peak learning rate.")] = 3e-4,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    max_tokens: Annotated[int, typer.Option(min=2, help="Most tokens of a text; longer ones are split.")] = 128,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Pre-train a small encoder after another one on raw texts, as a start for students. A killed run resumes."""
    from leanformer.recipe.pretrain import pretrain as run

    if steps is not None and minutes is not None:
        raise LeanformerError("give --steps or --minutes, not both")
    output = output_folder(output, overwrite=overwrite)
    made = run(
        like, texts, output, minutes=minutes, seed=seed, threads=threads, device=device, overwrite=overwrite, say=say,
        shape=shape, objective=objective, initial=initial, heads=heads, ffn=ffn, layer=layer,
        relation_heads=relation_heads, batch_size=batch_size, learning_rate=learning_rate, precision=precision,
        max_tokens=max_tokens, **({} if steps is None else {"steps": steps}),
    )  # fmt: skip
    result = made.history[-1]["result"]
    print(
        f"{output}: loss on held-out texts {result['loss']:.4f} (before {result['loss_before']:.4f}), "
        f"{made.properties['parameters'] / 1e6:.1f} M parameters; start students with --set STEP.start={output}"
    )
