"""Recurrent classifiers as artifacts of format "bilstm"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError
from leanformer.models.bilstm import BiLstm
from leanformer.models.reading import check_agreement, read_config, read_weights
from leanformer.models.writing import write_module
from leanformer.shapes.recurrent import BILSTM, BiLstmConfig
from leanformer.task import Task

FORMAT, CONFIG = "bilstm", "bilstm.json"


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

    `tokenizer` is the `tokenizer.json` to copy. Raises `ValueError` if the task has a different number of outputs, or
    another answer form than the model.
    """
    if task.outputs != model.config.labels or not _fits(model.config, task):
        raise ValueError(
            f"a task with {task.outputs} outputs ({task.kind}) for {model.config.labels} logits, "
            f"pooling {model.config.pooling}"
        )
    return write_module(
        model, folder, format=FORMAT, config=CONFIG, task=task, tokenizer=tokenizer, max_tokens=max_tokens,
        history=history,
    )  # fmt: skip


def read_bilstm(artifact: Artifact) -> BiLstm:
    """The model of an artifact of format "bilstm", in eval mode."""
    if artifact.format != FORMAT:
        raise ArtifactError(
            f"{artifact.path}: format {artifact.format!r} holds no recurrent classifier\n"
            "  remedy: give an artifact of format bilstm"
        )
    config = read_config(artifact, CONFIG, BILSTM, BiLstmConfig.from_json)
    check_agreement(
        artifact, CONFIG, labels=config.labels, fits=_fits(config, artifact.task),
        padding_id=config.padding_id, vocabulary=config.vocabulary,
    )  # fmt: skip
    return read_weights(artifact, lambda: BiLstm(config)).eval()


def _fits(config: BiLstmConfig, task: Task) -> bool:
    """Whether a recurrent classifier of this shape supports the task's answer form."""
    form = form_of(task)
    return form.taught and (form.windowed is not None) == (config.pooling == "none")
