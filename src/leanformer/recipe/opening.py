"""The start of a recipe that begins with an encoder: curates its data and fine-tunes a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leanformer.artifact import Artifact
from leanformer.files import remove_folder
from leanformer.measure.effort import Effort, recorded
from leanformer.measure.energy import EnergySettings
from leanformer.recipe.curated import curated
from leanformer.recipe.keys import teacher_key
from leanformer.recipe.made import find_made, note_made
from leanformer.recipe.spec import ORIGINAL, Recipe, RecipeStep
from leanformer.step import Context, Curate

if TYPE_CHECKING:
    from leanformer.finetune.fine_tune import FineTune


def opened_with(recipe: Recipe, opening: RecipeStep, given: Mapping[str, Any]) -> tuple[Recipe, RecipeStep]:
    """The recipe and its opening step with the options of it that are given, those that are not None."""
    told = {f"{opening.name}.{name}": value for name, value in given.items() if value is not None}
    recipe = recipe.with_options(told)
    return recipe, recipe.opening or opening


def make_teacher(
    recipe: Recipe, opening: RecipeStep, encoder: str, max_tokens: int, context: Context, energy: EnergySettings | None
) -> Artifact:
    """The teacher that the recipe's opening step makes of `encoder`, now or earlier in `context.work`.

    `run_recipe` finds it there, together with the curations before the opening.
    """
    step: FineTune = opening.step  # type: ignore[assignment]
    data, current = {ORIGINAL: context.data}, ORIGINAL
    for curation in recipe.steps[: recipe.steps.index(opening)]:
        assert isinstance(curation.step, Curate)
        given = replace(context, data=data[curation.data or current])
        data[curation.name] = curated(curation.step, curation.name, given, context.work / "steps", context.say)
        current = curation.name
    context = replace(context, data=data[opening.data or current])
    key = teacher_key(step, encoder, max_tokens, context)
    folder, unfinished = (context.work / part / f"teacher-{key[:16]}" for part in ("steps", "running"))
    if (artifact := find_made(folder, context.say)) is None:
        context.say(f"teacher: {opening.technique} of {encoder}")
        with recorded(Effort("teacher", opening.technique, whole=not unfinished.exists()), folder, energy):
            artifact = step.teacher_of(encoder, replace(context, work=unfinished), folder, max_tokens)
        note_made(folder)
    remove_folder(unfinished)
    return artifact
