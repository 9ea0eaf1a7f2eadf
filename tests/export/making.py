"""What the tests of export, runtime and measuring all need: a context, and an ONNX artifact made by the real step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.step import Context
from tests.tagged import tagged_dataset, tagger_artifact
from tests.tiny import tiny_artifact, tiny_dataset


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


def make_tagger(folder: Path) -> tuple[Artifact, Artifact, Artifact]:
    """A tagger, its graph, and its int8 graph."""
    tagger = tagger_artifact(folder / "encoder", max_tokens=16)
    context = make_context(folder, tagger, data=tagged_dataset())
    onnx = Onnx()(tagger, context, folder / "onnx")
    return tagger, onnx, Int8(max_flips=1.0, max_mean_share=1.0)(onnx, context, folder / "int8")


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`: relative path -> content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
