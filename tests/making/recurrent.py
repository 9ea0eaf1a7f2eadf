"""Tiny recurrent classifiers, made on the spot; for tagging, and for texts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from leanformer.artifact import Artifact
from leanformer.models.bilstm import BiLstm
from leanformer.models.bilstm_store import write_bilstm
from leanformer.shapes.recurrent import BiLstmConfig
from tests.making.tagged import TAGS
from tests.making.tagged import TASK as TAGGING
from tests.making.tiny import TASK, VOCABULARY, tiny_tokenizer


def tiny_recurrent(seed: int = 3, *, pooling: str = "none", **changes: Any) -> BiLstm:
    """A model in eval mode whose weights all matter: E 10, H 12, projection 32, no dropout."""
    fields: dict[str, Any] = {
        "vocabulary": len(VOCABULARY), "embedding": 10, "units": 12, "projection": 32,
        "labels": len(TAGS) if pooling == "none" else len(TASK.labels), "padding_id": 0, "pooling": pooling,
        "dropout": 0.0,
    }  # fmt: skip
    model = BiLstm(BiLstmConfig(**(fields | changes)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            size = 1.0 if "embedding" in name or "head.weight" in name else 0.4
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * size)
        model.head.bias.zero_()
    return model.eval()


def recurrent_artifact(folder: Path, *, model: BiLstm | None = None, max_tokens: int = 32) -> Artifact:
    """An artifact of format "bilstm" in the new folder `folder`: a tagger, or what `model` is."""
    model = model or tiny_recurrent()
    with tempfile.TemporaryDirectory() as temporary:
        return write_bilstm(
            model, folder, task=TAGGING if model.config.pooling == "none" else TASK,
            tokenizer=tiny_tokenizer(Path(temporary)), max_tokens=max_tokens, history=[],
        )  # fmt: skip
