"""A check, before anything is made, that a recipe exports only models that have a graph."""

from __future__ import annotations

from collections.abc import Iterable

from leanformer.errors import RecipeError
from leanformer.formats import format_named
from leanformer.step import Make, Step


def check_exportable(recipe: str, steps: Iterable[tuple[str, str | None, Step]]) -> None:
    """Raise `RecipeError` for a step that exports a model for which an earlier step left no graph.

    Args:
        recipe: its name. steps: name, `uses` and technique of each step, in order.
    """
    causes: dict[str, tuple[str, str]] = {}
    previous = "teacher"
    for name, uses, step in steps:
        if not isinstance(step, Make):
            continue
        origin, lacking = causes.get(uses or previous, (name, None))
        if lacking is not None and format_named(step.produces, step.technique).light is True:
            raise RecipeError(
                f"recipe {recipe}: step {name!r} exports what {origin!r} makes, and {lacking} runs in PyTorch only\n"
                f"  remedy: leave {name!r} out, and give the step before it a `rung:`; or leave {origin!r} out"
            )
        if (left := step.without_graph(lacking)) is not None:
            causes[name] = (origin if left == lacking else name, left)
        previous = name
