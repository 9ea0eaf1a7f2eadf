"""A sentence encoder as a packed graph that returns one vector per text (Reimers and Gurevych 2019)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import CheckpointError, DataError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.outputs.folders import new_output
from leanformer.step import Context
from leanformer.task import Task

if TYPE_CHECKING:
    from leanformer.models.hf.sentence import SentenceEncoder

POOLINGS = ("mean", "first")
PRECISIONS = ("int8", "fp32")


def make_embedder(
    checkpoint: str,
    texts: Sequence[str],
    output: Path,
    *,
    pooling: str | None = None,
    max_tokens: int | None = None,
    precision: str = "int8",
    seed: int = 13,
    threads: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Artifact:
    """Write the encoder as an artifact of kind "embedding", format "onnx", into the new folder `output`.

    Args:
        checkpoint: a Hugging Face or sentence-transformers folder of a mapped family, or a hub name.
        texts: typical inputs, used by the parity gates. Nothing is calibrated: int8 uses one scale per token, which has
            the smallest error.
        pooling: "mean" of the tokens or the "first" one; None uses the setting of a sentence-transformers folder.
        max_tokens: None uses the folder's setting, or else 512.

    Vectors are those of sentence-transformers' `encode`: texts are lowercased and get their prompt if the folder says
    so. Their length is always 1, as with `normalize_embeddings=True`.

    Raises `CheckpointError` for an encoder that cannot be read or whose pooling is unknown, `GateError` if the graph's
    outputs differ too much from PyTorch's, `DataError` for too few texts.
    """
    from leanformer.models.classifier import Classifier
    from leanformer.models.heads import vector_head
    from leanformer.models.hf.checkpoint import read_classifier, read_config_file
    from leanformer.models.hf.folders import check_config, check_file, check_folder
    from leanformer.models.hf.sentence import read_sentence_encoder
    from leanformer.models.hf.tokenizer import longest_input, tokenizer_file
    from leanformer.models.store import find_checkpoint, write_classifier

    if len(set(texts)) < 20:
        raise DataError("at least 20 different texts are needed to compare the graph with PyTorch on")
    source = find_checkpoint(checkpoint)
    check_file(source)
    said = read_sentence_encoder(source)
    check_folder(said.folder, classifier=False)
    check_config(said.folder, read_config_file(said.folder), classifier=False)
    if (pooling := pooling or said.pooling) is None:
        raise CheckpointError(f"{source}: it does not say how to pool\n  remedy: --pooling mean, or --pooling first")
    for line in _notes(said):
        say(f"note: {line}")
    found, _ = read_classifier(said.folder, 2)
    model = Classifier(vector_head(found.config, pooling))
    model.encoder.load_state_dict(found.encoder.state_dict())
    task = Task("embedding", (), width=model.config.hidden)
    cut_at = max_tokens or said.longest or longest_input(said.folder) or 512
    tokens = min(cut_at, model.config.positions)
    data = Dataset(task=task, unlabelled=Examples(task, tuple(texts), None), name="texts")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        place = Path(scratch)
        asked: dict[str, Any] = {"prompt": said.prompt} if said.prompt else {}
        asked |= {"lower": True} if said.lower else {}
        origin = {
            "step": "import", "parent": None,
            "options": {"source": source.name, "family": found.config.family, "pooling": pooling} | asked,
        }  # fmt: skip
        encoder = write_classifier(
            model.eval(), place / "encoder", task=task,
            tokenizer=tokenizer_file(
                said.folder, model.config.vocabulary, place / "tokenizer", texts=texts[:1000], prompt=said.prompt,
                lower=said.lower,
            ),
            max_tokens=tokens, history=[origin],
        )  # fmt: skip
        context = Context(
            data=data, artifacts={"teacher": encoder}, work=place / "work", cache=place / "cache", seed=seed,
            device="cpu", threads=threads, say=say,
        )  # fmt: skip
        made = Onnx()(encoder, context, place / "onnx")
        if precision == "int8":
            made = Int8(method="per_token")(made, context, place / "int8")
        with new_output(output, say) as temporary:
            for path in made.path.iterdir():
                path.rename(temporary / path.name)
    return open_artifact(output)


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
