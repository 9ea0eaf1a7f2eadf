"""Vectors of texts, or of the words of sentences, from an encoder whose weights stay as they are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.examples import Examples
from leanformer.data.used_texts import recorded
from leanformer.errors import LeanformerError
from leanformer.formats import format_of
from leanformer.inputs.input import parts_of
from leanformer.loading import open_predictor
from leanformer.metrics.probabilities import unit_vectors
from leanformer.models.heads import masked_mean
from leanformer.models.scoring import score_rows
from leanformer.models.sentence_encoder import import_sentence_encoder
from leanformer.models.store import read_model
from leanformer.models.writing import TOKENIZER
from leanformer.predictor import chunked
from leanformer.tagging.ragged import flat
from leanformer.tagging.windows import SentenceTokenizer, to_words
from leanformer.tokenizer import Tokenizer

# Texts -> vectors `[texts, width]`, or of sentences those of all words, end to end; float32, of length 1.
Vectors = Callable[[Sequence[str]], np.ndarray]


def embed(encoder: str, examples: Examples, say: Callable[[str], None]) -> np.ndarray:
    """The vectors of all examples, float32 `[n, width]`; of a pair those of both texts, their difference and product.

    If labels are tags, the vectors of all words, end to end: those of their first pieces.

    Args:
        encoder: an artifact of format "encoder" or of kind "embedding", a checkpoint folder, or a hub name.

    Raises `LeanformerError` for a model that is none of these.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if is_artifact(Path(encoder)):
            artifact = open_artifact(encoder)
        else:
            artifact = import_sentence_encoder(encoder, examples.texts, Path(scratch), fallback="mean", say=say)
        per_word = form_of(examples.task).per_word
        if not format_of(artifact).layers and (per_word or artifact.task.width is None):
            raise LeanformerError(
                f"{encoder}: a model of format {artifact.format!r} whose vectors cannot be read\n  remedy: give an "
                "artifact of format encoder, an encoder as downloaded, or for texts what `leanformer embedder` wrote"
            )
        if (used := recorded(artifact)) is not None and (known := used.roles_of(examples).count("train")):
            say(
                f"warning: {encoder} was trained on {known:,} of these {len(examples):,} texts, so figures from its "
                "vectors look too good, and wrong labels look right; give the encoder that it was made from"
            )
        vectors = _words(artifact) if per_word else _texts(artifact)
        texts = [part for input_ in examples.inputs for part in parts_of(input_)]
        found = np.concatenate([vectors(chunk) for chunk in chunked(texts)])
    if examples.pairs is None:
        return found
    first, second = found[::2], found[1::2]
    return np.concatenate([first, second, abs(first - second), first * second], axis=1)


class _Hidden(nn.Module):
    """The last hidden states of an encoder, or their mean over each text."""

    def __init__(self, encoder: nn.Module, pooled: bool) -> None:
        super().__init__()
        self.encoder, self.pooled = encoder, pooled

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden: Any = self.encoder(ids, mask, None).last
        return masked_mean(hidden, mask) if self.pooled else hidden


def _hidden(artifact: Artifact, pooled: bool) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Rows of token ids -> hidden states `[all tokens, width]`, or pooled ones `[rows, width]`."""
    model = read_model(artifact)
    hidden, padding_id = _Hidden(model.encoder, pooled).eval(), model.config.padding_id
    return lambda rows: score_rows(hidden, rows, padding_id=padding_id, device=torch.device("cpu"))


def _texts(artifact: Artifact) -> Vectors:
    if not format_of(artifact).layers:
        predictor = open_predictor(artifact)
        return lambda texts: unit_vectors(predictor.infer(predictor.tokenize(texts)))
    tokenizer, hidden = Tokenizer(artifact.file(TOKENIZER), artifact.max_tokens), _hidden(artifact, True)
    return lambda texts: unit_vectors(hidden(tokenizer.encode(list(texts))))


def _words(artifact: Artifact) -> Vectors:
    tokenizer, hidden = SentenceTokenizer(artifact.file(TOKENIZER), artifact.max_tokens), _hidden(artifact, False)

    def vectors(sentences: Sequence[str]) -> np.ndarray:
        windows = tokenizer.windows(sentences)
        values = hidden([window.ids for sentence in windows for window in sentence])
        return unit_vectors(flat(to_words(values, windows, sentences, [""] * values.shape[1])))

    return vectors
