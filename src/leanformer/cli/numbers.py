"""Numbers that cannot be meant, refused before a command begins."""

from __future__ import annotations

import math
from typing import Any

import typer
from typer.core import TyperCommand

from leanformer.cli.panels import in_panels

_MOST = 10**12
# Of options that more would harm: threads are started, epochs are waited for, seeds are 32 bits to some libraries.
_MOST_OF = {"threads": 1024, "cores": 1024, "workers": 1024, "seed": 2**32 - 1, "epochs": 10**6, "rounds": 10**6}
_LEAST_OF = {"seed": 0}


class Numbered(TyperCommand):
    """A command that checks its numbers before it runs, and shows its options in groups."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        in_panels(self.params)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        context = super().make_context(*arguments, **named)
        for parameter in self.params:
            value = context.params.get(parameter.name or "")
            if isinstance(value, int | float) and not isinstance(value, bool):
                _check(context, parameter, value)
        return context


def _check(context: Any, parameter: Any, value: float) -> None:
    name = parameter.name or ""
    least, most = _LEAST_OF.get(name, -_MOST), _MOST_OF.get(name, _MOST)
    if not least <= value <= most or not math.isfinite(value):
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)[:40]
        raise typer.BadParameter(f"{shown} is not a number from {least:,} to {most:,}.", context, parameter)
