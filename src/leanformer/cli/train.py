"""`leanformer train`: fine-tune a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanformer.cli.arguments import (
    CountryOption,
    DataArgument,
    DeviceOption,
    KindOption,
    LongOption,
    OverlapOption,
    OverwriteOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    TokensOption,
    energy_settings,
    need_torch,
    output_folder,
    pairs,
    say,
    values,
)
from leanformer.train.fit_options import PARTS


def train(
    data: DataArgument,
    encoder: Annotated[str, typer.Option(help="Encoder to start from: a Hugging Face folder or name, or an artifact.")],
    output: Annotated[Path, typer.Option(help="New folder for the fine-tuned model.")],
    split: SplitOption = None,
    kind: KindOption = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training data.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts per optimiser step.")] = 64,
    token_budget: Annotated[
        int, typer.Option(min=1, help="Most tokens per forward pass; larger batches are accumulated.")
    ] = 8192,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="Resident memory to fit into, such as 2GB: plans micro-batches, gradient checkpointing and optimiser "
            "states of 8 bits (docs/how-to/little-memory.md).",
        ),
    ] = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="Peak learning rate.")] = 5e-5,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    language_temperature: Annotated[
        float,
        typer.Option(min=0.1, help="1 uses every text once per epoch; above 1, languages are sampled more evenly."),
    ] = 1.0,
    crf: Annotated[
        bool, typer.Option("--crf", help="For taggers: also learn which tag follows which, and decode with it (a CRF).")
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            help="full; for few labels frozen, contrastive or adapter; auto takes the best of these in "
            "cross-validation (docs/how-to/few-labels.md)."
        ),
    ] = "full",
    adapter: Annotated[
        str | None,
        typer.Option(
            help="Train few parameters and merge them into the weights: lora, dora, ia3 or bitfit, with settings such "
            "as lora:rank=16,on=query+key+value (docs/how-to/adapters.md). Its learning rate is its own, unless "
            "--learning-rate differs from its default or a setting rate is given."
        ),
    ] = None,
    keep_adapter: Annotated[
        Path | None, typer.Option(help="New folder for the adapter by itself, in the format of the library peft.")
    ] = None,
    teacher_answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON Lines of any program's answers for rows of train and unlabelled, learnt instead of labels "
            "(docs/how-to/teacher-answers.md).",
        ),
    ] = None,
    fit: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Add a part to the training, NAME=VALUE, such as averaging=0.999; one of {', '.join(PARTS)} "
            "(docs/how-to/training-options.md). Repeatable."
        ),
    ] = None,
    max_tokens: TokensOption = 128,
    long: LongOption = None,
    overlap: OverlapOption = None,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    energy: Annotated[
        bool, typer.Option("--energy", help="Meter the energy of the training (extra `energy`).")
    ] = False,
    country: CountryOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fine-tune ENCODER on DATA and keep the weights with the best dev score. A killed run resumes."""
    need_torch("training")
    from leanformer.answers.forms import metric_name
    from leanformer.recipe.train import train as run

    output = output_folder(output, overwrite=overwrite)
    artifact = run(
        encoder, data, output, splits=pairs(split, "--split"), kind=kind, epochs=epochs, batch_size=batch_size,
        fit=values(fit, "--fit"), token_budget=token_budget, memory=memory, learning_rate=learning_rate,
        precision=precision,
        language_temperature=language_temperature, crf=crf, method=method, adapter=adapter,
        keep_adapter=keep_adapter, teacher_answers=teacher_answers,
        max_tokens=max_tokens, long=long, overlap=overlap, seed=seed, threads=threads,
        device=device, energy=energy_settings(energy, country), overwrite=overwrite, say=say,
    )  # fmt: skip
    result = artifact.history[-1]["result"]
    scores = next((scores for name, scores in result.items() if name.startswith("dev_")), None)
    figure = "" if scores is None else f"dev {metric_name(artifact.task)} {max(scores):.4f}"
    epoch = f" (epoch {result['best_epoch']})" if "best_epoch" in result else ""
    print(", ".join(filter(None, [
        f"{output}: {artifact.task.kind}", f"{len(artifact.task.labels)} labels", figure + epoch,
        f"{artifact.bytes / 1e6:.1f} MB",
    ])))  # fmt: skip
