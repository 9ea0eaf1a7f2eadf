"""`leanformer search`: a recipe with holes, tried out within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanformer.cli.arguments import (
    CountryOption,
    DataOption,
    DeviceOption,
    EnergyOption,
    KindOption,
    LostClassesOption,
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
    open_data,
    output_folder,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from leanformer.search.jobs.executor import Executor
    from leanformer.search.jobs.local import JobRunner


def search(
    space: Annotated[
        str,
        typer.Argument(
            metavar="SEARCH", help="A YAML file with goals and a recipe with holes, or the name of a shipped search."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "--teacher",
            metavar="MODEL",
            help="Fine-tuned model: an artifact, a Hugging Face folder or name.",
        ),
    ],
    data: DataOption,
    output: Annotated[Path, typer.Option(help="New folder for the Pareto front, its report and all trials.")],
    trials: Annotated[int | None, typer.Option(min=1, help="Maximum number of trials.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Maximum minutes, summed over all runs of this search.")] = None,
    joules: Annotated[
        float | None, typer.Option(help="Maximum energy of the trials in joules; needs --energy.")
    ] = None,
    sampler: Annotated[str, typer.Option(help="tpe, nsga2, random or grid.")] = "tpe",
    split: SplitOption = None,
    kind: KindOption = None,
    work: Annotated[Path | None, typer.Option(help="Folder for trials and their steps; default: OUTPUT.work.")] = None,
    max_tokens: TokensOption = 128,
    usd_per_hour: PriceOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timing rounds for the front on test.")] = 5,
    energy: EnergyOption = False,
    country: CountryOption = None,
    allow_weak_teacher: WeakTeacherOption = False,
    allow_lost_classes: LostClassesOption = False,
    seed: SeedOption = 13,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train the trials on a Ray cluster (extra `cluster`); local: several at once on this machine.",
        ),
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="With --ray: cores of each trial.")] = 1,
    overwrite: OverwriteOption = False,
) -> None:
    """Search for the best trade-offs: fill the holes in SEARCH, compare on dev, score the Pareto front once on test.

    A stopped search resumes when the same command is run again, also with a larger budget.

    With --ray the work folder must be on storage that all machines share. Trials are trained on the cluster and timed
    on this machine with --threads cores, one at a time, while nothing is trained here.

    Exit status 3: no trial was within the bounds and found every label that the teacher finds. The trials are
    reported, but there is no model.
    """
    need_torch("searching")
    from contextlib import nullcontext

    from rich.console import Console

    from leanformer.ladder.splits import known_task
    from leanformer.measure.speed import SpeedSettings
    from leanformer.models.store import device_of
    from leanformer.render.terminal import print_report
    from leanformer.search.jobs.executor import Serial
    from leanformer.search.jobs.remote import on_ray
    from leanformer.search.run import search as run
    from leanformer.search.space.read import find_space
    from leanformer.search.study.budget import SearchBudget
    from leanformer.search.study.record import chosen_from

    output = output_folder(output, search=True, overwrite=overwrite)
    device_of(device)
    budget = SearchBudget(trials, minutes, joules)
    metering = energy_settings(energy, country)
    found = find_space(space)
    examples = open_data(data, split, seed, task=known_task(model), kind=kind)
    place: AbstractContextManager[Callable[[JobRunner], Executor]] = (
        nullcontext(Serial) if ray is None else on_ray(ray, cores=cores, timed=found.goals.needs_time)
    )
    with place as executor:
        result = run(
            found, model, examples, output, budget=budget, sampler=sampler, work=work, max_tokens=max_tokens, seed=seed,
            threads=threads, device=device, energy=metering, final_speed=SpeedSettings(rounds=rounds),
            usd_per_hour=usd_per_hour, executor=executor, allow_weak_teacher=allow_weak_teacher,
            allow_lost_classes=allow_lost_classes, command=command_line(), overwrite=overwrite, say=say,
        )  # fmt: skip
    if result.report is not None:
        print_report(result.report, Console())
    for number, artifact in result.front.items():
        print(f"{output / artifact.path.relative_to(artifact.path.parents[1])}: trial {number}, {artifact.format}, "
              f"{artifact.bytes / 1e6:.1f} MB")  # fmt: skip
    print(f"{output}: {len(result.front)} on the front of {chosen_from(result.record)}")
    if not result.front:
        raise typer.Exit(3)
