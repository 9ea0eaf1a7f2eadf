"""The untrained recurrent student: its vocabulary and its initial embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer as RustTokenizer
from torch import Tensor

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact
from leanformer.compress.recurrent.strategies import LEARNT
from leanformer.compress.vocabulary.learnt_pieces import SPECIAL, carried_over, learn_pieces
from leanformer.compress.vocabulary.seen_pieces import seen_pieces
from leanformer.errors import RecipeError
from leanformer.inputs.input import parts_of
from leanformer.models.bilstm import BiLstm
from leanformer.models.classifier import Classifier
from leanformer.models.writing import TOKENIZER
from leanformer.shapes.recurrent import BiLstmConfig
from leanformer.task import Text
from leanformer.tokenizer import truncation_side


@dataclass(frozen=True)
class Start:
    """A student before its first training step.

    Attributes:
        model: the student.
        tokenizer: its tokenizer file.
        renumbered: the new id of each token of the source tokenizer, int32 `[rows]`; None if the vocabulary is learnt,
            so that texts are split differently.
        notes: entries for the history: vocabulary sizes, and how well the embeddings were preserved.
    """

    model: BiLstm
    tokenizer: Path
    renumbered: np.ndarray | None
    notes: dict[str, Any]


def reduced_table(table: Tensor, width: int) -> Tensor:
    """The best rank-`width` approximation of a table `[rows, columns]`, in its own coordinates: `[rows, width]`.

    The result is the leading left singular vectors times their singular values (Eckart and Young 1936), so distances
    between rows are those of the approximation. The sign of each column is fixed by making the largest entry of its
    right singular vector positive; otherwise two libraries could return mirror images.

    Raises `ValueError` if the table has fewer rows or columns than `width`.
    """
    if width > min(table.shape):
        raise ValueError(f"a table {list(table.shape)} has no {width} directions")
    left, sizes, right = torch.linalg.svd(table.double(), full_matrices=False)
    largest = right[:width].abs().argmax(dim=1)
    signs = right[:width][torch.arange(width), largest].sign()
    return (left[:, :width] * sizes[:width] * signs).to(table.dtype)


def start_student(
    source: Classifier,
    artifact: Artifact,
    texts: tuple[Text, ...],
    *,
    embedding: int,
    units: int,
    dropout: float,
    start: str,
    vocabulary: str,
    keep_characters: bool,
    work: Path,
    pieces: int = 18000,
    projection: int | None = None,
) -> Start:
    """Create a student for the task of `artifact`, using the current random state of torch.

    Its embeddings start as the teacher's fine-tuned ones reduced to `embedding` dimensions by SVD, or as random values.
    Both are scaled to the standard deviation `SPREAD`.

    Args:
        source: the model of `artifact`. texts: the texts that the vocabulary is made from, unless it is "all": for
            "seen" it keeps their tokens; for "cased" or "uncased" it has `pieces` tokens learnt from them.
        projection: width of the projection, equal to that of the states to follow; None: the width of `source`.

    Raises `RecipeError` if `embedding` is more than the number of rows or columns of the table that SVD reduces,
    `GateError` if the tokenizer cannot be cut down.
    """
    config, table = source.config, source.encoder.embeddings.word.weight.detach()
    padding, path = config.padding_id, artifact.file(TOKENIZER)
    renumbered: np.ndarray | None = np.arange(config.vocabulary, dtype=np.int32)
    notes: dict[str, Any] = {"pieces": [config.vocabulary, config.vocabulary]}
    flat = [part for text in texts for part in parts_of(text)]
    if vocabulary in LEARNT:
        learnt = learn_pieces(flat, pieces, cased=vocabulary == "cased")
        if (side := truncation_side(RustTokenizer.from_file(str(path)))) != "right":
            learnt.enable_truncation(artifact.max_tokens, direction=side)
        table = carried_over(table, plain_tokenizer(path), learnt, padding_id=padding)
        path, renumbered, padding = work / TOKENIZER, None, SPECIAL.index("[PAD]")
        work.mkdir(parents=True, exist_ok=True)
        path.write_text(learnt.to_str(), encoding="utf-8")
        notes["pieces"] = [config.vocabulary, len(table)]
    if vocabulary == "seen":
        cut = seen_pieces(path.read_text(encoding="utf-8"), flat, config.vocabulary, keep_characters=keep_characters)
        order = cut.order if padding in cut.order else [*cut.order, padding]
        renumbered = cut.renumbered(config.vocabulary)
        renumbered[padding] = order.index(padding)
        path = work / TOKENIZER
        work.mkdir(parents=True, exist_ok=True)
        path.write_text(cut.written, encoding="utf-8")
        table, padding = table[torch.as_tensor(order)], order.index(padding)
        notes["pieces"] = [cut.before, len(order)]
    shape = BiLstmConfig(
        vocabulary=len(table), embedding=embedding, units=units, projection=projection or config.hidden,
        labels=artifact.task.outputs, padding_id=padding, dropout=dropout,
        pooling="none" if form_of(artifact.task).per_word else "ends",
    )  # fmt: skip
    model = BiLstm(shape)
    if start == "svd":
        if embedding > min(table.shape):
            raise RecipeError(
                f"compress.bilstm: embedding {embedding} is more than the table {list(table.shape)} of its pieces has\n"
                "  remedy: a smaller `embedding`, or start: random"
            )
        reduced = reduced_table(table, embedding)
        notes["kept_of_embeddings"] = round(float(reduced.pow(2).sum() / table.pow(2).sum()), 6)
        with torch.no_grad():
            model.embedding.weight.copy_(reduced * (SPREAD / reduced.std()))
    else:
        with torch.no_grad():
            model.embedding.weight.mul_(SPREAD / model.embedding.weight.std())
    return Start(model, path, renumbered, notes)


def plain_tokenizer(path: Path) -> RustTokenizer:
    """The tokenizer from a file, without truncation and padding."""
    made = RustTokenizer.from_str(path.read_text(encoding="utf-8"))
    made.no_truncation()
    made.no_padding()
    return made


# Standard deviation of the initial embeddings.
SPREAD = 0.25
