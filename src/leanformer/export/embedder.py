"""A sentence encoder as a packed graph that returns one vector per text (Reimers and Gurevych 2019)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.outputs.folders import new_output
from leanformer.step import Context

POOLINGS = ("mean", "first", "max")
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
        pooling: "mean" of the tokens, the "first" one, or the "max" of each column; None uses the setting of a
            sentence-transformers folder.
        max_tokens: None uses the folder's setting, or else 512.

    Vectors are those of sentence-transformers' `encode`: texts are lowercased and get their prompt if the folder says
    so. Their length is always 1, as with `normalize_embeddings=True`.

    Raises `CheckpointError` for an encoder that cannot be read or whose pooling is unknown, `GateError` if the graph's
    outputs differ too much from PyTorch's, `DataError` for too few texts.
    """
    from leanformer.models.sentence_encoder import import_sentence_encoder

    if len(set(texts)) < 20:
        raise DataError("at least 20 different texts are needed to compare the graph with PyTorch on")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        place = Path(scratch)
        encoder = import_sentence_encoder(
            checkpoint, texts, place, pooling=pooling, max_tokens=max_tokens, say=say
        )  # fmt: skip
        data = Dataset(task=encoder.task, unlabelled=Examples(encoder.task, tuple(texts), None), name="texts")
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
