"""What a step's result is found by: a hash of all that it depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.files import sha256_file, sha256_json
from leanformer.options import defaults, options
from leanformer.step import Context, Curate, Make, Step, named_artifacts, path_options


def step_key(step: Make, source: Artifact, teacher: Artifact, context: Context) -> str:
    """The key of what `step` makes of `source`."""
    data = context.data.training_hash if step.reads_data else None
    return sha256_json(
        _causes(step, context) | {"source": source.content_hash, "teacher": teacher.content_hash, "data": data}
    )


def teacher_key(step: Make, encoder: str, max_tokens: int, context: Context) -> str:
    """The key of the teacher that `step` makes of an encoder, which is a folder or a name."""
    source = _folder_hash(Path(encoder)) if Path(encoder).is_dir() else encoder
    return sha256_json(
        _causes(step, context) | {"encoder": source, "max_tokens": max_tokens, "data": context.data.training_hash}
    )


def curation_key(step: Curate, context: Context) -> str:
    """The key of what `step` makes of the context's data; what the data are known to share with test is told on."""
    data = context.data
    return sha256_json(_causes(step, context) | {"data": data.training_hash, "overlap": data.overlap})


def _causes(step: Step, context: Context) -> dict[str, Any]:
    """What the results of all steps depend on.

    Names are left out, for they change nothing; so are options that have their default, so that what was finished
    stays finished when a technique is given one more option. An option that names an artifact of the context stands
    for what that computes.
    """
    usual = defaults(step)
    named = {name: context.artifacts[value].content_hash for name, value in named_artifacts(step).items()}
    chosen = {
        name: value
        for name, value in options(step).items()
        if name not in named and (name not in usual or value != usual[name])
    }
    # A path of a folder (another model to start from) or a file (a table) stands for what is in it. Any other text is
    # what it says, also where a file of that name happens to lie in the folder that we are in.
    folders = {
        name: sha256_file(Path(value)) if Path(value).is_file() else _folder_hash(Path(value))
        for name, value in path_options(step).items()
        if name in chosen and Path(value).exists()
    }
    causes = {"version": step.version, "technique": step.technique, "options": chosen, "seed": context.seed}
    return causes | ({"folders": folders} if folders else {}) | ({"artifacts": named} if named else {})


def _folder_hash(folder: Path) -> str:
    if is_artifact(folder):
        return open_artifact(folder, verify=False).content_hash
    return sha256_json({file.name: sha256_file(file) for file in sorted(folder.iterdir()) if file.is_file()})
