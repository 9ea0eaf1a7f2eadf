"""Keys of step results: a hash of everything that the result depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.files import sha256_file, sha256_json
from leanformer.options import defaults
from leanformer.step import Context, Curate, Make, Step, in_effect, named_artifacts, path_options


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
    """The key of what `step` makes of the context's data; the known overlap with test is part of it."""
    data = context.data
    return sha256_json(_causes(step, context) | {"data": data.training_hash, "overlap": data.overlap})


def _causes(step: Step, context: Context) -> dict[str, Any]:
    """What the result of any step depends on.

    Names are left out, because they change nothing. So are options at their default, so that finished results stay
    valid when a technique gets one more option. An option that names an artifact of the context is replaced by that
    artifact's content hash. A learning rate is the one that is used, so that an adapter's may change.
    """
    usual = defaults(step)
    named = {name: context.artifacts[value].content_hash for name, value in named_artifacts(step).items()}
    chosen = {
        name: value
        for name, value in in_effect(step).items()
        if name not in named and (name not in usual or value != usual[name])
    }
    # The path of a folder (another model to start from) or of a file (a table) is replaced by a hash of its content.
    # Any other option is taken literally, even if a file of that name happens to be in the current folder.
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
    files = {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}
    if "adapter_config.json" in files:  # of peft: the model is it and its base
        from leanformer.models.hf.peft import base_of

        files |= {f"base/{file.name}": file for file in base_of(folder).iterdir() if file.is_file()}
    return sha256_json({name: sha256_file(file) for name, file in files.items()})
