"""Any artifact as one standard ONNX file: `input_ids`, `attention_mask`, optional `token_type_ids` -> `logits`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort

from leanformer.artifact import Artifact
from leanformer.batching import pad
from leanformer.errors import ArtifactError, GateError
from leanformer.runtime.engine import OnnxEngine


def write_standard_onnx(artifact: Artifact, path: Path, *, token_types: bool = False) -> None:
    """Write `path` by way of a temporary name. An artifact of format "onnx" gives its own weights, int8 ones too.

    Raises `ArtifactError` for a family that is not mapped, and for token types asked of a family that has none or of a
    graph that was made without,
    `GateError` when the new graph does not give PyTorch's logits.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if artifact.format == "onnx":
            if token_types and not OnnxEngine(artifact.file("model.onnx"), 1).takes_types:
                raise ArtifactError(
                    f"{artifact.path}: its graph was made without token types\n"
                    "  remedy: export the encoder artifact that it was made from"
                )
            if artifact.task.answer == "vector" and artifact.properties.get("pooling") == "mean":
                raise ArtifactError(
                    f"{artifact.path}: a packed graph that averages has no padded form yet\n"
                    "  remedy: sentence-transformers exports the checkpoint that it was made from"
                )
            _padded(artifact.file("model.onnx"), temporary)
        else:
            _export(artifact, temporary, token_types or artifact.task.pairs)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _padded(source: Path, path: Path) -> None:
    """Write the padded graph of a packed one. A graph that is padded already is copied."""
    import onnx

    from leanformer.export.packed_graph import INPUTS, padded_graph

    graph = onnx.load(source)
    if {one.name for one in graph.graph.input} >= set(INPUTS) - {"first"}:
        onnx.save(padded_graph(graph), path)
    else:
        shutil.copyfile(source, path)


def _export(artifact: Artifact, path: Path, token_types: bool) -> None:
    """Write the graph of an encoder and compare it with PyTorch on rows of random tokens.

    A model that has no token types gets no input for them.
    """
    import onnx
    import torch

    from leanformer.export.encoder_graph import encoder_graph, expected_operators
    from leanformer.export.gate import check, compare
    from leanformer.export.graph import operator_counts
    from leanformer.models.store import read_model

    if artifact.format != "encoder":
        raise ArtifactError(f"{artifact.path}: its family is not mapped, so no graph can be written")
    model = read_model(artifact)
    config = model.config
    if token_types and not config.reads_token_types and not artifact.task.pairs:
        raise ArtifactError(
            f"{artifact.path}: a {config.family} model has no token types\n  remedy: export it without them"
        )
    token_types = token_types and config.reads_token_types
    graph = encoder_graph(model, token_types=token_types)
    if operator_counts(graph) != expected_operators(config, token_types=token_types):
        raise GateError(f"export: the graph has unexpected operators {operator_counts(graph)}")
    onnx.save(graph, path)
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, min(32, config.positions) + 1, size=16)
    ids, mask = pad([generator.integers(0, config.vocabulary, n) for n in lengths], padding_id=config.padding_id)
    feeds = {"input_ids": ids, "attention_mask": mask}
    given = None
    if token_types:
        types = generator.integers(0, config.token_types, ids.shape)
        feeds["token_type_ids"], given = types, torch.from_numpy(types)
    with torch.inference_mode():
        reference = model(torch.from_numpy(ids), torch.from_numpy(mask), given).numpy()
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    parity = compare(np.asarray(session.run(["logits"], feeds)[0]), reference, artifact.task)
    check(parity, step="export", max_difference=1e-3, mean_share=None, flips=0.0)
