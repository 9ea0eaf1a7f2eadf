"""Our graphs of one model, the engines that run them on this machine, and what share of its peak they reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import ArtifactError, MissingExtraError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.ladder.operations import work_of
from leanformer.models.store import start_classifier, write_classifier
from leanformer.predictor import logits
from leanformer.runtime.engines.native_engine import NativeEngine
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


def untrained(encoder: Path, data: Dataset, folder: Path, *, max_tokens: int = 128, seed: int = 13) -> Artifact:
    """The encoder with a head of random weights: as fast as a trained one, and right by chance only."""
    torch.manual_seed(seed)
    model, tokenizer, _, positions = start_classifier(str(encoder), data.task)
    return write_classifier(
        model.eval(), folder, task=data.task, tokenizer=tokenizer, max_tokens=min(max_tokens, positions), history=[]
    )


def level_and_share(
    predictor: LightPredictor, texts: Sequence[str], per_second: float, peak_flops: float
) -> dict[str, Any]:
    """The native engine's instruction set, and the share of the fp32 peak of all cores at this rate.

    Args:
        per_second: texts per second. peak_flops: fp32 operations per second of all cores; in int8 more are possible.
    """
    levels = {engine.level for engine in predictor._engines.values() if isinstance(engine, NativeEngine)}
    lengths = [len(row) for row in predictor.tokenize(texts)]
    flops = work_of(predictor.artifact, predictor, lengths)["flops_per_text"]
    share = None if flops is None else float(np.round(flops * per_second / peak_flops, 4))
    return {"level": next(iter(levels), None), "peak_share": share}
