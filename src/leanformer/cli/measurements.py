"""The options by which measurements are asked for, made of their table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from leanformer.measurements import ARTIFACTS, COLUMNS, FLAG, MEASUREMENTS, Measurement

_TYPES = {COLUMNS: list[str] | None, ARTIFACTS: list[Path] | None, FLAG: bool}


def with_measurements(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each of its measurements, in place of the parameter `further`."""
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters.values()
    entries = {name: entry for name, entry in MEASUREMENTS.items() if command.__name__ in entry.commands}
    parameters: list[inspect.Parameter] = []
    for parameter in own:
        if parameter.name == "further":
            parameters += [_parameter(name, entry) for name, entry in entries.items()]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        from leanformer.ladder.on_request import Further

        asked = {name: _value(entry, values.pop(name)) for name, entry in entries.items()}
        command(**values, further=Further(**asked))

    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def _parameter(name: str, entry: Measurement) -> inspect.Parameter:
    metavar = {COLUMNS: "COLUMN", ARTIFACTS: "ARTIFACT", FLAG: None}[entry.takes]
    option = typer.Option(entry.option, metavar=metavar, help=entry.help)
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False if entry.takes == FLAG else None,
        annotation=Annotated[_TYPES[entry.takes], option],
    )  # fmt: skip


def _value(entry: Measurement, value: Any) -> Any:
    from leanformer.artifact import open_artifact

    if entry.takes == FLAG:
        return value
    return tuple(open_artifact(path) for path in value or ()) if entry.takes == ARTIFACTS else tuple(value or ())
