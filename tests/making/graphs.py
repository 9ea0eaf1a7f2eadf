"""What the tests of export, runtime and measuring all need: a context, and an ONNX artifact made by the real step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.models.classifier import Classifier
from leanformer.models.heads import vector_head
from leanformer.models.store import write_classifier
from leanformer.step import Context
from leanformer.task import Task
from tests.making.tagged import tagged_dataset, tagger_artifact
from tests.making.tiny import roughen, tiny_artifact, tiny_config, tiny_dataset, tiny_texts, tiny_tokenizer


def make_context(
    folder: Path,
    teacher: Artifact,
    *,
    data: Dataset | None = None,
    seed: int = 13,
    say: Callable[[str], None] = lambda line: None,
) -> Context:
    """A context on one thread, with its work folders below `folder`."""
    return Context(
        data=data or tiny_dataset(),
        artifacts={"teacher": teacher},
        work=folder / "work",
        cache=folder / "cache",
        seed=seed,
        device="cpu",
        threads=1,
        say=say,
    )


def make_onnx(folder: Path, **changes: Any) -> tuple[Artifact, Artifact]:
    """An encoder artifact in `folder`/encoder and its graph in `folder`/onnx; `changes` as for `tiny_artifact`."""
    # With this seed the random model gives all three labels; with most it gives one, and no label could change.
    encoder = tiny_artifact(folder / "encoder", **({"seed": 11} | changes))
    return encoder, Onnx()(encoder, make_context(folder, encoder), folder / "onnx")


def make_int8(folder: Path) -> Artifact:
    """The int8 graph of an encoder artifact in `folder`/int8, for the native engine."""
    encoder, onnx = make_onnx(folder)
    step = Int8(method="per_token", max_flips=1.0, max_mean_share=1.0)
    return step(onnx, make_context(folder, encoder), folder / "int8")


def make_tagger(folder: Path) -> tuple[Artifact, Artifact, Artifact]:
    """A tagger, its graph, and its int8 graph."""
    tagger = tagger_artifact(folder / "encoder", max_tokens=16)
    context = make_context(folder, tagger, data=tagged_dataset())
    onnx = Onnx()(tagger, context, folder / "onnx")
    return tagger, onnx, Int8(max_flips=1.0, max_mean_share=1.0)(onnx, context, folder / "int8")


def make_embedder(folder: Path, pooling: str = "mean", **shape: Any) -> tuple[Artifact, Artifact, Artifact]:
    """An encoder that gives vectors, its graph, and its int8 graph; `shape` as for `tiny_config`."""
    config = tiny_config(**shape)
    model = Classifier(vector_head(config, pooling))
    roughen(model, 7)
    task = Task("embedding", (), width=config.hidden)
    encoder = write_classifier(
        model.eval(), folder / "encoder", task=task, tokenizer=tiny_tokenizer(folder / "tokenizer"), max_tokens=32,
        history=[],
    )  # fmt: skip
    data = Dataset(task=task, unlabelled=Examples(task, tiny_texts(60, seed=2)[0], None), name="texts")
    context = make_context(folder, encoder, data=data)
    onnx = Onnx()(encoder, context, folder / "onnx")
    return encoder, onnx, Int8(method="per_token")(onnx, context, folder / "int8")


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`: relative path -> content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
