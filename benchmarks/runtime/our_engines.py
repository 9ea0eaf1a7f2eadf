"""Our graphs of one model, and the engines that run them on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.predictor import logits
from leanformer.runtime.predictor import ENGINES, LightPredictor
from leanformer.step import Context


def graphs_of(
    teacher: Artifact, data: Dataset, scratch: Path, methods: Sequence[str], *, threads: int = 1, **options: Any
) -> dict[str, Artifact]:
    """The fp32 graph under "fp32", and one in int8 for each of `methods`; `options` are those of `export.int8`."""
    context = Context(data, {"teacher": teacher}, scratch, scratch, threads=threads, device="cpu", say=print)
    fp32 = Onnx()(teacher, context, scratch / "fp32")
    return {"fp32": fp32} | {
        method: Int8(method=method, **options)(fp32, context, scratch / method) for method in methods
    }


def running(candidates: Sequence[Artifact], **options: Any) -> tuple[dict[str, LightPredictor], dict[str, str]]:
    """Every engine with the first of the artifacts that it runs, and the reasons of those that run none.

    Args:
        options: of `LightPredictor`.
    """
    found: dict[str, LightPredictor] = {}
    reasons: dict[str, str] = {}
    for engine in ENGINES:
        for artifact in candidates:
            try:
                one = LightPredictor(artifact, engine=engine, **options)
                logits(one, ["a trial"])  # engines are opened at their first use
            except (MissingExtraError, ArtifactError) as error:
                reasons[engine] = str(error).splitlines()[0]
                continue
            found[engine] = one
            reasons.pop(engine, None)
            break
    return found, reasons
