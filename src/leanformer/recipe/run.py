"""Running a recipe: step by step, each result kept under the hash of all it was made from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.errors import GateError
from leanformer.files import alone, remove_folder, sha256_file, sha256_json
from leanformer.formats import format_of
from leanformer.measure.effort import Effort, read_effort, recorded
from leanformer.measure.energy import EnergySettings
from leanformer.options import defaults, options
from leanformer.recipe.made import find_made, note_made
from leanformer.recipe.spec import Recipe, RecipeStep
from leanformer.step import Context, named_artifacts, path_options


@dataclass(frozen=True)
class Outcome:
    """What a recipe made.

    Attributes:
        artifacts: step name -> artifact, `teacher` included; a step that was left out is missing.
        left_out: step name -> why.
        efforts: what each step took, when it was made; also those that failed their gate.
    """

    artifacts: dict[str, Artifact]
    left_out: dict[str, str]
    efforts: tuple[Effort, ...] = ()


def run_recipe(
    recipe: Recipe,
    teacher: Artifact,
    context: Context,
    work: Path,
    energy: EnergySettings | None = None,
    *,
    shared: bool = False,
) -> Outcome:
    """Run the steps in order, taking from `work` what an earlier run has finished.

    Args:
        shared: others may run recipes in `work` at the same time, on other machines too. Where two come to the same
            step, the second waits for the first and finds it done.

    A step that fails its gate, that cannot take the format it is given, or whose input was left out, is left out
    with its reason; any other error ends the run.
    """
    artifacts, left_out = {"teacher": teacher}, {}
    efforts: list[Effort] = []
    previous = "teacher"
    for index, one in enumerate(recipe.steps):
        source = one.uses or previous
        previous = one.name
        label = f"[{index + 1}/{len(recipe.steps)}] {one.name}"
        if lacking := [name for name in (source, *named_artifacts(one.step).values()) if name not in artifacts]:
            left_out[one.name] = f"{lacking[0]!r}, which it builds on, was left out"
            context.say(f"{label}: left out, because {left_out[one.name]}")
            continue
        if artifacts[source].format not in one.step.consumes:
            left_out[one.name] = _format_reason(one, artifacts[source])
            context.say(f"{label}: left out: {left_out[one.name]}")
            continue
        key = _key(one, artifacts[source], teacher, replace(context, artifacts=artifacts))
        folder = work / "steps" / f"{one.name}-{key[:16]}"
        unfinished = work / "running" / folder.name
        with alone(work / "locks" / folder.name) if shared else nullcontext():
            if found := find_made(folder, context.say):
                context.say(f"{label}: found in {folder}")
                remove_folder(unfinished)  # left by a kill after the step was finished
                artifacts[one.name] = found
                efforts.append(read_effort(folder, one.name, one.technique, context.say))
                continue
            context.say(f"{label}: {one.technique}")
            own = replace(
                context,
                artifacts=artifacts,
                work=unfinished,
                say=_indented(context.say),
            )
            efforts.append(Effort(one.name, one.technique, whole=not unfinished.exists()))
            try:
                with recorded(efforts[-1], folder, energy):
                    artifacts[one.name] = one.step(artifacts[source], own, folder)
                note_made(folder)
            except GateError as error:
                left_out[one.name] = str(error)
                context.say(f"{label}: left out: {error}")
            remove_folder(unfinished)  # checkpoints, of no use to a finished step
    return Outcome(artifacts, left_out, tuple(efforts))


def _key(one: RecipeStep, source: Artifact, teacher: Artifact, context: Context) -> str:
    """Hash of all that the step's result depends on.

    Names are left out, for they change nothing; so are options that have their default, so that what was finished
    stays finished when a technique is given one more option. An option that names an artifact of the
    context stands for what that computes.
    """
    usual = defaults(one.step)
    named = {name: context.artifacts[v].content_hash for name, v in named_artifacts(one.step).items()}
    chosen = {
        name: v
        for name, v in options(one.step).items()
        if name not in named and (name not in usual or v != usual[name])
    }
    key = {
        "version": one.step.version,
        "technique": one.technique,
        "options": chosen,
        "source": source.content_hash,
        "teacher": teacher.content_hash,
        "data": context.data.training_hash if one.step.reads_data else None,
        "seed": context.seed,
    }
    # A path of a folder (another model to start from) or a file (a table) stands for what is in it. Any other text is
    # what it says, also where a file of that name happens to lie in the folder that we are in.
    folders = {
        name: sha256_file(Path(v)) if Path(v).is_file() else _folder_hash(Path(v))
        for name, v in path_options(one.step).items()
        if name in chosen and Path(v).exists()
    }
    return sha256_json(key | ({"folders": folders} if folders else {}) | ({"artifacts": named} if named else {}))


def _folder_hash(folder: Path) -> str:
    if is_artifact(folder):
        return open_artifact(folder, verify=False).content_hash
    return sha256_json({one.name: sha256_file(one) for one in sorted(folder.iterdir()) if one.is_file()})


def _format_reason(one: RecipeStep, source: Artifact) -> str:
    if format_of(source).foreign:
        family = source.history[0]["options"].get("family", "this family") if source.history else "this family"
        return (
            f"{one.technique} needs a model of a mapped family, and {family!r} is not one; the model runs with PyTorch "
            "and can teach a student (recipe `distil`, with --set student.start=ENCODER)"
        )
    return f"{one.technique} takes {' or '.join(one.step.consumes)}, not an artifact of format {source.format!r}"


def _indented(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(f"    {line}")
