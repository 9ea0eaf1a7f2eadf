"""Importing a sentence encoder: a checkpoint that gives one vector per text, as an artifact of format "encoder"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.errors import CheckpointError
from leanformer.models.classifier import Classifier
from leanformer.models.heads import vector_head
from leanformer.models.hf.checkpoint import read_classifier, read_config_file
from leanformer.models.hf.folders import check_config, check_file, check_folder
from leanformer.models.hf.sentence import SentenceEncoder, read_sentence_encoder
from leanformer.models.hf.tokenizer import longest_input, tokenizer_file
from leanformer.models.store import find_checkpoint, write_classifier
from leanformer.task import Task


def import_sentence_encoder(
    checkpoint: str,
    texts: Sequence[str],
    place: Path,
    *,
    pooling: str | None = None,
    max_tokens: int | None = None,
    fallback: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Artifact:
    """Write the encoder as an artifact of kind "embedding" into the new folder `place`/encoder.

    Args:
        checkpoint, pooling, max_tokens: see `export.embedder.make_embedder`.
        fallback: the pooling where neither `pooling` nor the folder says it.
        texts: typical inputs, on which the tokenizer is compared with the original.

    Raises `CheckpointError` for an encoder that cannot be read or whose pooling is unknown.
    """
    source = find_checkpoint(checkpoint)
    check_file(source)
    said = read_sentence_encoder(source)
    check_folder(said.folder, classifier=False)
    check_config(said.folder, read_config_file(said.folder), classifier=False)
    if (pooling := pooling or said.pooling or fallback) is None:
        raise CheckpointError(f"{source}: it does not say how to pool\n  remedy: --pooling mean, or --pooling first")
    for line in _notes(said):
        say(f"note: {line}")
    found, _ = read_classifier(said.folder, 2)
    model = Classifier(vector_head(found.config, pooling))
    model.encoder.load_state_dict(found.encoder.state_dict())
    cut_at = max_tokens or said.longest or longest_input(said.folder) or 512
    asked: dict[str, Any] = {"prompt": said.prompt} if said.prompt else {}
    asked |= {"lower": True} if said.lower else {}
    origin = {
        "step": "import", "parent": None,
        "options": {"source": source.name, "family": found.config.family, "pooling": pooling} | asked,
    }  # fmt: skip
    return write_classifier(
        model.eval(), place / "encoder", task=Task("embedding", (), width=model.config.hidden),
        tokenizer=tokenizer_file(
            said.folder, model.config.vocabulary, place / "tokenizer", texts=texts[:1000], prompt=said.prompt,
            lower=said.lower,
        ),
        max_tokens=min(cut_at, model.config.positions), history=[origin],
    )  # fmt: skip


def _notes(said: SentenceEncoder) -> list[str]:
    """Notes about the processing of texts and vectors that a user may not expect."""
    notes = []
    if said.prompt:
        notes.append(f"every text has the prompt {said.prompt!r} in front, as the folder's default_prompt_name asks")
    if said.prompts:
        notes.append(
            f"the folder has prompts by name ({', '.join(said.prompts)}), which encode() takes on request only; here "
            "they are left out: write them into the texts that need them"
        )
    if said.lower:
        notes.append("texts are lowered first (do_lower_case in the options of sentence-transformers)")
    if said.unit is False:
        notes.append(
            "the folder has no module Normalize: encode() gives vectors of other lengths unless it is asked for "
            "normalize_embeddings; here they have length 1, and the same directions"
        )
    return notes
