"""The shape that an artifact runs in, read from its files, and what a graph tells of the model that it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leanformer.artifact import Artifact
from leanformer.formats import format_of, function_of
from leanformer.shapes.attention import need_graph
from leanformer.shapes.encoder import EncoderConfig
from leanformer.shapes.flops import EncoderShape, Shape
from leanformer.shapes.recurrent import BiLstmConfig, LstmShape


def of_encoder(artifact: Artifact) -> EncoderShape:
    """Of an artifact of format "encoder"; PyTorch computes every token."""
    return EncoderConfig.from_json(_json(artifact, "encoder.json")).shape()


def need_graphs(artifact: Artifact, place: object) -> None:
    """Raise `CheckpointError` that names `place` for an encoder with a kind of attention that cannot be exported."""
    for layer in EncoderConfig.from_json(_json(artifact, "encoder.json")).layers:
        need_graph(layer.attention, place)


def of_recurrent(artifact: Artifact) -> LstmShape:
    """Of an artifact of format "bilstm"."""
    return BiLstmConfig.from_json(_json(artifact, "bilstm.json")).shape()


def of_graph(artifact: Artifact) -> Shape | None:
    """Of an artifact of format "onnx"; None where its properties tell too little."""
    labels = artifact.task.outputs if artifact.task.width is None else 0
    return shape_of_properties(artifact.properties, labels, first_only=True)


def shape_of_artifact(artifact: Artifact) -> Shape | None:
    """The shape that an artifact runs in; None for a family that is not mapped, and for graphs that do not tell."""
    shape: Shape | None = None if format_of(artifact).shape is None else function_of(artifact, "shape")(artifact)
    return shape


def graph_properties(config: EncoderConfig | BiLstmConfig) -> dict[str, Any]:
    """What the manifest of a graph says of the model in it; `shape_of_properties` reads it."""
    if isinstance(config, BiLstmConfig):
        return {name: getattr(config, name) for name in ("padding_id", "embedding", "units", "projection", "pooling")}
    return {
        "padding_id": config.padding_id,
        "layers": [[layer.heads, layer.ffn] for layer in config.layers],
        "hidden": config.hidden,
        "head_size": config.head_size,
        "gated_ffn": config.gated_ffn,
        "embedding": config.embedding,
        "pooling": config.head.pooling,
    }


def shape_of_properties(properties: Mapping[str, Any], labels: int, *, first_only: bool) -> Shape | None:
    """The shape that the properties of a graph tell, or None where they do not; 0 labels for one that gives vectors.

    The head size, where it is not written, is the hidden width over the heads of the widest layer: it holds for every
    model of which at least one layer kept all heads. A padded graph may have gates and narrow embeddings; one that was
    made before these were written down tells too little.
    """
    pooling = properties.get("pooling", "first")
    if "units" in properties and "projection" in properties:
        embedding, units, projection = (int(properties[name]) for name in ("embedding", "units", "projection"))
        return LstmShape(embedding, units, projection, labels, every_token=pooling == "none")
    layers, hidden = properties.get("layers"), properties.get("hidden")
    if not layers or not hidden or (properties.get("layout") == "padded" and "gated_ffn" not in properties):
        return None
    head_size = properties.get("head_size") or int(hidden) // max(int(heads) for heads, _ in layers)
    return EncoderShape(
        int(hidden), int(head_size), tuple((int(heads), int(ffn)) for heads, ffn in layers), labels,
        pooler=pooling != "none" and labels > 0, first_only=first_only and pooling == "first",
        every_token=pooling == "none", gated=bool(properties.get("gated_ffn", False)),
        embedding=properties.get("embedding"),
    )  # fmt: skip


def _json(artifact: Artifact, name: str) -> Any:
    return json.loads(artifact.file(name).read_text(encoding="utf-8"))
