"""Writes a model, its configuration and its tokenizer as an artifact; shared by all of our architectures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.exits import Exits, write_exits
from leanformer.files import write_json
from leanformer.models.bilstm import BiLstm
from leanformer.models.classifier import Classifier, parameter_counts
from leanformer.models.tensors import save_tensors
from leanformer.outputs.folders import new_artifact
from leanformer.task import Task

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


def write_module(
    model: Classifier | BiLstm,
    folder: Path,
    *,
    format: str,
    config: str,
    task: Task,
    tokenizer: Path,
    max_tokens: int,
    history: Sequence[Mapping[str, Any]],
    exits: Exits | None = None,
) -> Artifact:
    """Write the weights, the configuration as the file `config`, and the tokenizer as an artifact of this format.

    `exits` are early exits of the model, if it has any.
    """
    with new_artifact(folder) as temporary:
        state = {name: value.detach().cpu().float().contiguous() for name, value in model.state_dict().items()}
        save_tensors(state, temporary / WEIGHTS)
        write_json(temporary / config, model.config.to_json())
        shutil.copyfile(tokenizer, temporary / TOKENIZER)
        if exits is not None:
            write_exits(exits, temporary)
        write_manifest(
            temporary,
            format=format,
            task=task,
            max_tokens=max_tokens,
            history=tuple(history),
            properties=parameter_counts(model),
        )
    return open_artifact(folder)
