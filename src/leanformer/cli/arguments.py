"""Arguments that several commands share, and how they are read."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanformer.errors import LeanformerError
from leanformer.errors import need_torch as need_torch
from leanformer.progress import to_stderr
from leanformer.task import Task

if TYPE_CHECKING:
    import numpy as np

    from leanformer.data.examples import Examples
    from leanformer.measure.energy import EnergySettings

DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="Folder with train/dev/test files, one such file, or hub:NAME.")
]
DataOption = Annotated[
    str, typer.Option("--data", metavar="DATA", help="Folder with train/dev/test files, one such file, or hub:NAME.")
]
SplitOption = Annotated[
    list[str] | None,
    typer.Option("--split", metavar="SPLIT=FILE", help="Use another file for a split, e.g. train=train_phrases."),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        "--task",
        help="classification, pair, multilabel, similarity, regression, tokens, choice or span; default: detected.",
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Use the vectors of an encoder (artifact, folder or hub name), not n-grams."),
]
SeedOption = Annotated[int, typer.Option(help="Seed of everything random.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Cores to use; default: all that this process may use.")]
TuningOption = Annotated[
    bool, typer.Option(help="Use the settings that `leanformer tune` stored for this machine, if any.")
]
ExitsOption = Annotated[
    bool, typer.Option(help="Let texts leave at the early exits of a model that has calibrated ones.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
TokensOption = Annotated[
    int, typer.Option(min=2, help="Longest input in tokens; longer texts are truncated, unless --long says otherwise.")
]
LongOption = Annotated[
    str | None,
    typer.Option(
        help="Texts beyond the longest input: windows reads them whole and averages, truncate cuts them; "
        "default: as the model was trained, or truncate."
    ),
]
OverlapOption = Annotated[
    int | None,
    typer.Option(min=0, help="Tokens that a window of a long text repeats of the one before; implies --long windows."),
]
PriceOption = Annotated[float | None, typer.Option(min=0, help="Price of the machine in USD per hour.")]

EnergyOption = Annotated[
    bool, typer.Option("--energy", help="Meter energy (extra `energy`); takes a minute per measured model.")
]
CountryOption = Annotated[
    str | None, typer.Option(metavar="ISO3", help="With --energy: estimate carbon for this country's grid, e.g. DEU.")
]

OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model in a folder that also holds other files; those are kept.")
]

WeakTeacherOption = Annotated[
    bool,
    typer.Option("--allow-weak-teacher", help="Accept a teacher that scores no better than a constant answer."),
]


LostClassesOption = Annotated[
    bool,
    typer.Option("--allow-lost-classes", help="Accept a model that misses classes which the teacher finds on dev."),
]


def say(line: str) -> None:
    """Progress goes to standard error, so that results on standard output can be piped."""
    to_stderr(line)


def as_text(argument: str) -> str:
    """A text from the command line. Bytes that the locale has no letters for arrive as halves of surrogate pairs; read
    as UTF-8 where they are that, and else left as they are.
    """
    if not any("\udc80" <= letter <= "\udcff" for letter in argument):
        return argument
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        return argument


def command_line() -> str:
    """What was typed, for the report."""
    return shlex.join(["leanformer", *sys.argv[1:]])


def energy_settings(energy: bool, country: str | None) -> EnergySettings | None:
    """What the options say. Raises `LeanformerError` for a country without --energy, or one that is not known."""
    if not energy:
        if country is not None:
            raise LeanformerError(f"--country {country}: carbon is counted where energy is\n  remedy: add --energy")
        return None
    from leanformer.measure.energy import EnergySettings

    return EnergySettings(country)


def pairs(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` options as a mapping. Raises `LeanformerError` for one without `=`."""
    result = {}
    for value in values or ():
        name, separator, rest = value.partition("=")
        if not separator or not name or not rest:
            raise LeanformerError(f"{option} {value}: write {option} NAME=VALUE")
        result[name] = rest
    return result


def values(options: Sequence[str] | None, option: str) -> dict[str, Any]:
    """`NAME=VALUE` options with values as in a recipe. Raises `LeanformerError` for what is not YAML."""
    import yaml

    result = {}
    for name, text in pairs(options, option).items():
        try:
            result[name] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date that there is not, such as 2020-13-01
            raise LeanformerError(
                f"{option} {name}={text}: not valid YAML ({getattr(error, 'problem', error)})\n"
                "  remedy: write a number, a word, or a list such as [1, 3]"
            ) from error
    return result


def open_data(
    source: str,
    split: Sequence[str] | None,
    seed: int,
    task: Task | None = None,
    single: str = "train",
    kind: str | None = None,
) -> Any:
    """The data set at `source`, read as examples of `task` where a model's is known, or else of `kind`.

    Raises `LeanformerError` for a kind that is not the model's.
    """
    from leanformer.data.dataset import open_dataset

    return open_dataset(source, splits=pairs(split, "--split"), seed=seed, single=single, kind=kind, task=task)


def embed_with(encoder: str | None) -> Callable[[Examples], np.ndarray] | None:
    """What gives the vectors of an encoder (`curate.embeddings.embed`); None without one."""
    if encoder is None:
        return None
    need_torch("the vectors of an encoder")
    from leanformer.curate.embeddings import embed

    return lambda examples: embed(encoder, examples, say)


def output_folder(path: Path, *, search: bool = False, overwrite: bool = False) -> Path:
    """The folder that a command is to write, said to be impossible now rather than after the work.

    Raises `LeanformerError`, see `outputs.folders.check_folder`.
    """
    from leanformer.outputs.folders import check_folder

    check_folder(path, search=search, overwrite=overwrite, say=say)
    # "x/.." and the like have no name of their own, and the work folder is named after this one.
    return path if path.name not in ("", "..") else Path(os.path.realpath(path))
