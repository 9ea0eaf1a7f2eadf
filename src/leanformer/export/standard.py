"""Any artifact as one standard ONNX file: `input_ids`, `attention_mask`, optional `token_type_ids` -> `logits`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leanformer.artifact import Artifact
from leanformer.batching import pad
from leanformer.errors import ArtifactError, GateError
from leanformer.files import new_file
from leanformer.formats import function_of
from leanformer.inputs.kinds import input_of
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.tagging.ragged import ragged

if TYPE_CHECKING:
    import onnx
    from torch import nn


def write_standard_onnx(
    artifact: Artifact, path: Path, *, token_types: bool = False, portable: bool = False
) -> str:  # fmt: skip
    """Write `path` via a temporary file. For an artifact of format "onnx", its own weights are kept, including int8.

    Args:
        portable: weights in 7 bits (`export.portable`), so that sums do not saturate on any CPU.

    Returns a note about the file's int8 weights, or an empty string.

    Raises `ArtifactError` for an unmapped family, and for token types requested of a family that has none or of a graph
    that was exported without them; `GateError` if the new graph's logits differ from PyTorch's.
    """
    with new_file(path) as temporary:
        function_of(artifact, "standard")(artifact, temporary, token_types)
        return _about_int8(temporary, portable)


def write_own(artifact: Artifact, path: Path, token_types: bool) -> None:
    """Write the padded form of a graph artifact, with its own weights."""
    if token_types and not OnnxEngine(artifact.file("model.onnx"), 1).takes_types:
        raise ArtifactError(
            f"{artifact.path}: its graph was made without token types\n"
            "  remedy: export the encoder artifact that it was made from"
        )
    if artifact.task.width is not None and artifact.properties.get("pooling") == "mean":
        raise ArtifactError(
            f"{artifact.path}: a packed graph that averages has no padded form yet\n"
            "  remedy: sentence-transformers exports the checkpoint that it was made from"
        )
    import onnx

    try:
        _padded(artifact.file("model.onnx"), path)
    except (onnx.checker.ValidationError, KeyError, IndexError) as error:
        reason = " ".join(f"{error}".split())[:200]
        raise ArtifactError(
            f"{artifact.file('model.onnx')}: cannot be rewritten as a padded graph, because it is not one that "
            f"Leanformer wrote ({type(error).__name__}: {reason})\n"
            "  remedy: recreate the artifact, or export the encoder artifact that it was made from"
        ) from error


def write_encoder(artifact: Artifact, path: Path, token_types: bool) -> None:
    """Write the graph of an encoder."""
    _export(artifact, path, _encoder(artifact, token_types or input_of(artifact.task).paired))


def write_recurrent(artifact: Artifact, path: Path, token_types: bool) -> None:
    """Write the graph of a recurrent classifier."""
    _export(artifact, path, _recurrent(artifact, token_types or input_of(artifact.task).paired))


def _padded(source: Path, path: Path) -> None:
    """Write the padded form of a packed graph. A graph that is already padded is copied."""
    import onnx

    from leanformer.export.graphs.packed_graph import INPUTS, padded_graph

    graph = onnx.load(source)
    if {value.name for value in graph.graph.input} >= set(INPUTS) - {"first"}:
        onnx.save(padded_graph(graph), path)
    else:
        shutil.copyfile(source, path)


_SETTING = (
    "int8 weights in 8 bits: on an x86 CPU without VNNI a session of ONNX Runtime with its own settings cuts sums off, "
    "and some answers change\n  remedy: the session setting session.x64quantprecision=1 "
    "(docs/how-to/your-own-predictor.md), or export with --portable"
)


def _about_int8(path: Path, portable: bool) -> str:
    """Make the file portable if requested; return a note about it."""
    import onnx

    from leanformer.export.portable import has_wide_weights, make_portable

    graph = onnx.load(path)
    if not portable:
        return _SETTING if has_wide_weights(graph) else ""
    if not make_portable(graph):
        return "no weight is beyond 7 bits: the file is portable as it is"
    onnx.save(graph, path)
    return (
        "int8 weights rounded to 7 bits: sums are exact on every CPU, and answers are a little farther from fp32\n"
        "  remedy: measure them on your texts (leanformer bench --also, docs/how-to/your-own-predictor.md)"
    )


def _export(artifact: Artifact, path: Path, made: _Made) -> None:
    """Write the graph of a model and compare it with PyTorch on rows of random tokens.

    A model without token types gets no input for them.
    """
    import onnx
    import torch

    from leanformer.export.graphs.graph import operator_counts
    from leanformer.export.parity import check, compare

    if operator_counts(made.graph) != made.expected:
        raise GateError(f"export: the graph has unexpected operators {operator_counts(made.graph)}")
    onnx.save(made.graph, path)
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, min(32, made.positions) + 1, size=16)
    ids, mask = pad([generator.integers(0, made.vocabulary, n) for n in lengths], padding_id=made.padding_id)
    feeds = {"input_ids": ids, "attention_mask": mask}
    given = None
    if made.token_types:
        types = generator.integers(0, made.token_types, ids.shape)
        feeds["token_type_ids"], given = types, torch.from_numpy(types)
    with torch.inference_mode():
        reference = made.model(torch.from_numpy(ids), torch.from_numpy(mask), given).numpy()
    # Imported here, because other engines do not need it.
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(["logits"], feeds)[0])
    if found.ndim == 3:  # outputs at padding are meaningless
        found, reference = (
            ragged([value[:n] for value, n in zip(values, lengths, strict=True)]) for values in (found, reference)
        )
    check(compare(found, reference, artifact.task), step="export", max_difference=1e-3, mean_share=None, flips=0.0)


class _Made(NamedTuple):
    """A graph, the model it was made from, the operators it should have, and its valid inputs."""

    graph: onnx.ModelProto
    model: nn.Module
    expected: dict[str, int]
    vocabulary: int
    positions: int
    padding_id: int
    token_types: int


def _encoder(artifact: Artifact, token_types: bool) -> _Made:
    from leanformer.export.graphs.attention_kinds import need_graphs
    from leanformer.export.graphs.encoder_graph import encoder_graph, expected_operators
    from leanformer.models.store import read_model

    model = read_model(artifact)
    need_graphs(model.config, artifact.path)
    config = model.config
    if token_types and not config.reads_token_types and not input_of(artifact.task).paired:
        raise ArtifactError(
            f"{artifact.path}: a {config.family} model has no token types\n  remedy: export it without them"
        )
    types = token_types and config.reads_token_types
    return _Made(
        encoder_graph(model, token_types=types), model, expected_operators(config, token_types=types),
        config.vocabulary, config.positions, config.padding_id, config.token_types if types else 0,
    )  # fmt: skip


def _recurrent(artifact: Artifact, token_types: bool) -> _Made:
    from leanformer.export.graphs.lstm_graph import expected_lstm_operators, lstm_graph
    from leanformer.models.bilstm_store import read_bilstm

    model = read_bilstm(artifact)
    config = model.config
    if token_types and not input_of(artifact.task).paired:
        raise ArtifactError(f"{artifact.path}: a recurrent model has no token types\n  remedy: export it without them")
    return _Made(
        lstm_graph(model), model, expected_lstm_operators(config), config.vocabulary, artifact.max_tokens,
        config.padding_id, 0,
    )  # fmt: skip
