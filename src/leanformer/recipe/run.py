"""Running a recipe step by step; each result is kept under a hash of everything it was made from."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.errors import GateError
from leanformer.files import alone, remove_folder
from leanformer.formats import format_of
from leanformer.measure.effort import Effort, read_effort, recorded
from leanformer.measure.energy import EnergySettings
from leanformer.progress import prefixed
from leanformer.recipe.curated import curated
from leanformer.recipe.keys import step_key
from leanformer.recipe.made import find_made, note_made
from leanformer.recipe.spec import ORIGINAL, Recipe
from leanformer.recipe.used import has_record, record_step
from leanformer.render.cascade import promise_notes
from leanformer.step import Context, Curate, Make, named_artifacts


@dataclass(frozen=True)
class Outcome:
    """The result of a recipe.

    Attributes:
        artifacts: step name -> artifact, including `teacher`; a step that was left out is missing.
        left_out: step name -> reason.
        efforts: cost of each step when it was made, including steps that failed their gate.
        notes: what the recipe's curations report about the data, and what its cascades promise.
    """

    artifacts: dict[str, Artifact]
    left_out: dict[str, str]
    efforts: tuple[Effort, ...] = ()
    notes: tuple[str, ...] = ()


def run_recipe(
    recipe: Recipe,
    teacher: Artifact,
    context: Context,
    work: Path,
    energy: EnergySettings | None = None,
    *,
    shared: bool = False,
) -> Outcome:
    """Run the steps in order, reusing from `work` what an earlier run has finished.

    Args:
        shared: others may run recipes in `work` at the same time, also on other machines. If two reach the same
            step, the second waits for the first and reuses its result.

    A step reads the data set of the last curation before it, or the one that its `data:` names. A step is left out with
    its reason if it fails its gate, cannot take the format of its input, or its input (artifacts or data) was left out;
    any other error ends the run.
    """
    artifacts, data, left_out = {"teacher": teacher}, {ORIGINAL: context.data}, dict[str, str]()
    efforts: list[Effort] = []
    notes: list[str] = []
    model, current = "teacher", ORIGINAL
    for index, recipe_step in enumerate(recipe.steps):
        source, read = recipe_step.uses or model, recipe_step.data or current
        label = f"[{index + 1}/{len(recipe.steps)}] {recipe_step.name}"
        step = recipe_step.step
        if isinstance(step, Curate):
            current, needed = recipe_step.name, (read, *named_artifacts(step).values())
        else:
            model, needed = recipe_step.name, (read, source, *named_artifacts(step).values())
        if recipe_step is recipe.opening:  # made before (see `recipe.opening`)
            continue
        if lacking := [name for name in needed if name not in data and name not in artifacts]:
            left_out[recipe_step.name] = f"{lacking[0]!r}, which it builds on, was left out"
            context.say(f"{label}: left out, because {left_out[recipe_step.name]}")
            continue
        own = replace(context, data=data[read], artifacts=artifacts, say=prefixed(context.say))
        if isinstance(step, Curate):
            data[current] = curated(step, recipe_step.name, own, work / "steps", prefixed(context.say, f"{label}: "))
            notes += data[current].notes[len(data[read].notes) :]
            continue
        assert isinstance(step, Make)
        if artifacts[source].format not in step.consumes:
            left_out[recipe_step.name] = _format_reason(step, artifacts[source])
            context.say(f"{label}: left out: {left_out[recipe_step.name]}")
            continue
        key = step_key(step, artifacts[source], teacher, own)
        inputs = [artifacts[name] for name in ("teacher", source, *named_artifacts(step).values())]
        folder = work / "steps" / f"{recipe_step.name}-{key[:16]}"
        unfinished = work / "running" / folder.name
        with alone(work / "locks" / folder.name) if shared else nullcontext():
            if found := find_made(folder, context.say):
                context.say(f"{label}: found in {folder}")
                remove_folder(unfinished)  # left by a kill after the step was finished
                if not has_record(found):
                    found = record_step(found, step, inputs, data[read])
                    note_made(folder)
                artifacts[recipe_step.name] = found
                efforts.append(read_effort(folder, recipe_step.name, recipe_step.technique, context.say))
                continue
            context.say(f"{label}: {recipe_step.technique}")
            efforts.append(Effort(recipe_step.name, recipe_step.technique, whole=not unfinished.exists()))
            try:
                with recorded(efforts[-1], folder, energy):
                    made = step(artifacts[source], replace(own, work=unfinished), folder)
                artifacts[recipe_step.name] = record_step(made, step, inputs, data[read])
                note_made(folder)
            except GateError as error:
                left_out[recipe_step.name] = str(error)
                context.say(f"{label}: left out: {error}")
            remove_folder(unfinished)  # checkpoints, not needed after the step
    notes += [f"{name}: {note}" for name, artifact in artifacts.items() for note in promise_notes(artifact)]
    return Outcome(artifacts, left_out, tuple(efforts), tuple(notes))


def _format_reason(step: Make, source: Artifact) -> str:
    if format_of(source).foreign:
        family = source.history[0]["options"].get("family", "this family") if source.history else "this family"
        return (
            f"{step.technique} needs a model of a mapped family, and {family!r} is not one; the model runs with "
            "PyTorch and can teach a student (recipe `distil`, with --set student.start=ENCODER)"
        )
    return f"{step.technique} takes {' or '.join(step.consumes)}, not an artifact of format {source.format!r}"
