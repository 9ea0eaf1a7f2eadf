"""A sentence encoder as a packed graph whose answer is one vector for each text (Reimers and Gurevych 2019)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import CheckpointError, DataError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.outputs.folders import new_output
from leanformer.step import Context
from leanformer.task import Task

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
        texts: such as it will be asked; the parity gates compare on them. Nothing is calibrated: int8 takes a scale
            for each token, which strays least.
        pooling: "mean" of the tokens or the "first" one; None takes what a sentence-transformers folder says.
        max_tokens: None takes what the folder says, at most 512.

    Raises `CheckpointError` for an encoder that cannot be read or whose pooling is not known, `GateError` where the
    graph strays from PyTorch, `DataError` for too few texts.
    """
    from leanformer.models.classifier import Classifier, vector_head
    from leanformer.models.hf.checkpoint import read_classifier
    from leanformer.models.hf.sentence import read_sentence_encoder
    from leanformer.models.hf.tokenizer import tokenizer_file
    from leanformer.models.store import find_checkpoint, write_classifier

    if len(set(texts)) < 20:
        raise DataError("at least 20 different texts are needed to compare the graph with PyTorch on")
    source = find_checkpoint(checkpoint)
    said, longest = read_sentence_encoder(source)
    if (pooling := pooling or said) is None:
        raise CheckpointError(f"{source}: it does not say how to pool\n  remedy: --pooling mean, or --pooling first")
    found, _ = read_classifier(source, 2)
    model = Classifier(vector_head(found.config, pooling))
    model.encoder.load_state_dict(found.encoder.state_dict())
    task = Task("embedding", (), width=model.config.hidden)
    tokens = min(max_tokens or longest or 512, model.config.positions)
    data = Dataset(task=task, unlabelled=Examples(task, tuple(texts), None), name="texts")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        place = Path(scratch)
        origin = {
            "step": "import", "parent": None,
            "options": {"source": source.name, "family": found.config.family, "pooling": pooling},
        }  # fmt: skip
        encoder = write_classifier(
            model.eval(), place / "encoder", task=task,
            tokenizer=tokenizer_file(source, model.config.vocabulary, place / "tokenizer", texts=texts[:1000]),
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
            for one in made.path.iterdir():
                one.rename(temporary / one.name)
    return open_artifact(output)
