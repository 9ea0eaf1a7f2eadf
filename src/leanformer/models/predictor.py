"""The PyTorch predictor: our classifiers, and any `transformers` sequence classifier kept as it came."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError
from leanformer.models.bilstm_store import read_bilstm
from leanformer.models.finite import check_answers, check_finite
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of, read_model
from leanformer.models.writing import TOKENIZER
from leanformer.tagging.windows import SentenceTokenizer, Window
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer


class TorchPredictor:
    """Scores texts with PyTorch.

    Args:
        artifact: of format "encoder", "bilstm" or "transformers".
        pad_to: pad every batch to at least this many tokens; None pads each batch to its longest row.
        batch_tokens: most tokens, padding included, in one batch; rows are batched by length. None runs one row
            at a time, as the obvious first program does.
        device: "cpu", "cuda" or "auto".

    Attributes:
        positions: the longest input in tokens that the model has positions for.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        pad_to: int | None = None,
        batch_tokens: int | None = 4096,
        device: str = "cpu",
    ) -> None:
        self.artifact, self.pad_to, self.batch_tokens = artifact, pad_to, batch_tokens
        self.device = device_of(device)
        self._tokenizer = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens)
        self._model, self._padding_id, self.positions = _open(artifact)
        self._model.to(self.device).eval()

    @property
    def task(self) -> Task:
        return self.artifact.task

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        if self.task.answer == "tags":
            return [one.ids for each in self.sentence_windows([str(text) for text in texts]) for one in each]
        return self._tokenizer.encode(texts)

    @cached_property
    def _sentences(self) -> SentenceTokenizer:
        return SentenceTokenizer(self.artifact.file(TOKENIZER), self.artifact.max_tokens)

    def sentence_windows(self, sentences: Sequence[str]) -> list[list[Window]]:
        return self._sentences.windows(sentences)

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32; of a model that tags words `[all tokens, outputs]`.

        Raises `ArtifactError` where they are not finite.
        """
        values = score_rows(
            self._model,
            rows,
            padding_id=self._padding_id,
            device=self.device,
            batch_tokens=self.batch_tokens,
            pad_to=self.pad_to,
        )
        check_answers(values, self.artifact.path)
        return values


class _Foreign(nn.Module):
    """A `transformers` model behind the signature of our classifiers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        # Families without token types have one of them at most, or a model that does not take them at all.
        self.takes_types = (
            getattr(model.config, "type_vocab_size", 0) > 1 and "token_type_ids" in signature(model.forward).parameters
        )

    def forward(self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None) -> Tensor:
        types = {"token_type_ids": token_types} if self.takes_types and token_types is not None else {}
        logits: Tensor = self.model(input_ids=ids, attention_mask=mask, **types).logits
        return logits


def _open(artifact: Artifact) -> tuple[nn.Module, int, int]:
    """The model, its padding id and the longest input that it has positions for."""
    if artifact.format == "encoder":
        model = read_model(artifact)
        return model, model.config.padding_id, model.config.positions
    if artifact.format == "bilstm":
        recurrent = read_bilstm(artifact)
        return recurrent, recurrent.config.padding_id, artifact.max_tokens
    if artifact.format != "transformers":
        raise ArtifactError(f"{artifact.path}: format {artifact.format!r} is not run by PyTorch")
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    stock = AutoModelForTokenClassification if artifact.task.answer == "tags" else AutoModelForSequenceClassification
    foreign = stock.from_pretrained(
        artifact.path, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, local_files_only=True
    )
    check_finite(dict(foreign.named_parameters()), artifact.path, ArtifactError)
    positions = int(getattr(foreign.config, "max_position_embeddings", artifact.max_tokens))
    return _Foreign(foreign), int(foreign.config.pad_token_id or 0), positions
