"""Recurrent classifiers as artifacts of format "bilstm"."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError
from leanformer.files import new_folder, write_json
from leanformer.models.bilstm import BiLstm, BiLstmConfig
from leanformer.models.classifier import parameter_counts
from leanformer.task import Task

FORMAT, CONFIG, WEIGHTS, TOKENIZER = "bilstm", "bilstm.json", "model.safetensors", "tokenizer.json"


def write_bilstm(
    model: BiLstm,
    folder: Path,
    *,
    task: Task,
    tokenizer: Path,
    max_tokens: int,
    history: Sequence[Mapping[str, Any]],
) -> Artifact:
    """Write `model` as an artifact of format "bilstm" into the new folder `folder`.

    `tokenizer` is the `tokenizer.json` to copy. Raises `ValueError` if the task has another number of outputs, or
    another form of answer than the model gives.
    """
    if task.outputs != model.config.labels or (task.answer == "tags") != (model.config.pooling == "none"):
        raise ValueError(
            f"a task with {task.outputs} outputs ({task.kind}) for {model.config.labels} logits, "
            f"pooling {model.config.pooling}"
        )
    with new_folder(folder) as temporary:
        state = {name: value.detach().cpu().float().contiguous() for name, value in model.state_dict().items()}
        save_file(state, temporary / WEIGHTS)
        write_json(temporary / CONFIG, model.config.to_json())
        shutil.copyfile(tokenizer, temporary / TOKENIZER)
        write_manifest(
            temporary,
            format=FORMAT,
            task=task,
            max_tokens=max_tokens,
            history=tuple(history),
            properties=parameter_counts(model),
        )
    return open_artifact(folder)


def read_bilstm(artifact: Artifact) -> BiLstm:
    """The model of an artifact of format "bilstm", in eval mode."""
    if artifact.format != FORMAT:
        raise ArtifactError(f"{artifact.path}: format {artifact.format!r} holds no recurrent classifier")
    config = BiLstmConfig.from_json(json.loads(artifact.file(CONFIG).read_text(encoding="utf-8")))
    model = BiLstm(config)
    model.load_state_dict(load_file(artifact.file(WEIGHTS)))
    return model.eval()
