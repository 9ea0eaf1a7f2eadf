"""`leanformer compress`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leanformer.cli.arguments import (
    CountryOption,
    DataOption,
    DeviceOption,
    EnergyOption,
    KindOption,
    LongOption,
    LostClassesOption,
    OverlapOption,
    OverwriteOption,
    PriceOption,
    SeedOption,
    SplitOption,
    ThreadsOption,
    TokensOption,
    WeakTeacherOption,
    command_line,
    energy_settings,
    need_torch,
    output_folder,
    pairs,
    say,
    values,
)
from leanformer.cli.measurements import with_measurements


@with_measurements
def compress(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Fine-tuned model or embedder: an artifact, a Hugging Face folder or name."
        ),
    ],
    data: DataOption,
    output: Annotated[Path, typer.Option(help="New folder for the compressed model, its report and its card.")],
    recipe: Annotated[str, typer.Option(help="Name of a shipped recipe, or path of a YAML file.")] = "quick",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.OPTION=VALUE", help="Change an option of a recipe step.")
    ] = None,
    max_drop: Annotated[float, typer.Option(help="Largest loss of dev quality, in points.")] = 1.0,
    goal: Annotated[str, typer.Option(help="throughput, latency or size.")] = "throughput",
    split: SplitOption = None,
    kind: KindOption = None,
    work: Annotated[Path | None, typer.Option(help="Folder for intermediate results; default: OUTPUT.work.")] = None,
    max_tokens: TokensOption = 128,
    long: LongOption = None,
    overlap: OverlapOption = None,
    usd_per_hour: PriceOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timing rounds of every model.")] = 5,
    memory: Annotated[bool, typer.Option(help="Measure the peak memory of each rung in a fresh process.")] = True,
    energy: EnergyOption = False,
    country: CountryOption = None,
    floor: Annotated[
        bool, typer.Option(help="Also train a linear model on n-grams, and compare every rung with it.")
    ] = True,
    further: Any = None,
    allow_weak_teacher: WeakTeacherOption = False,
    allow_lost_classes: LostClassesOption = False,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Compress MODEL for the task in DATA and measure every rung of the ladder.

    For an embedder (--recipe embedder), DATA are texts, and rungs are measured on pairs of them.

    Exit status 3: no compressed model was within --max-drop on dev, so the teacher's export was written.
    """
    need_torch("compressing")
    from rich.console import Console

    from leanformer.measure.speed import SpeedSettings
    from leanformer.recipe.compress import compress as run
    from leanformer.render.terminal import print_report

    output = output_folder(output, overwrite=overwrite)
    options = values(changes, "--set")
    result = run(
        model, data, output, recipe=recipe, options=options, max_drop=max_drop, goal=goal,
        splits=pairs(split, "--split"), kind=kind, work=work, max_tokens=max_tokens, long=long, overlap=overlap,
        seed=seed, threads=threads,
        device=device, usd_per_hour=usd_per_hour, speed=SpeedSettings(rounds=rounds), memory=memory,
        energy=energy_settings(energy, country), further=further, floor=floor, allow_weak_teacher=allow_weak_teacher,
        allow_lost_classes=allow_lost_classes, command=command_line(), overwrite=overwrite, say=say,
    )  # fmt: skip
    print_report(result.report, Console())
    print(f"{output}: {result.artifact.format}, {result.artifact.bytes / 1e6:.1f} MB")
    if not result.within:
        raise typer.Exit(3)
