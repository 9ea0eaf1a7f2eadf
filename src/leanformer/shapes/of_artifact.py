"""The shape of an artifact, read from its files, and what a graph's properties record about its model."""

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
    """Shape of an artifact of format "encoder"; PyTorch computes every token."""
    return EncoderConfig.from_json(_json(artifact, "encoder.json")).shape()


def need_graphs(artifact: Artifact, place: object) -> None:
    """Raise `CheckpointError`, naming `place`, for an encoder with a kind of attention that cannot be exported."""
    for layer in EncoderConfig.from_json(_json(artifact, "encoder.json")).layers:
        need_graph(layer.attention, place)


def of_recurrent(artifact: Artifact) -> LstmShape:
    """Shape of an artifact of format "bilstm"."""
    return BiLstmConfig.from_json(_json(artifact, "bilstm.json")).shape()


def of_graph(artifact: Artifact) -> Shape | None:
    """Shape of an artifact of format "onnx"; None if its properties are not sufficient."""
    labels = artifact.task.outputs if artifact.task.width is None else 0
    return shape_of_properties(artifact.properties, labels, first_only=True)


def shape_of_artifact(artifact: Artifact) -> Shape | None:
    """The shape of an artifact as it runs; None for unsupported families and for graphs without enough properties."""
    shape: Shape | None = None if format_of(artifact).shape is None else function_of(artifact, "shape")(artifact)
    return shape


def graph_properties(config: EncoderConfig | BiLstmConfig) -> dict[str, Any]:
    """What a graph's manifest records about its model; `shape_of_properties` reads it."""
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
    """The shape given by the properties of a graph, or None if they are not sufficient; 0 labels for a vector model.

    If the head size is not recorded, it is the hidden width over the heads of the widest layer, which is right for
    every model in which at least one layer kept all heads. A padded graph may have gates and narrow embeddings; one
    made before these were recorded does not have sufficient properties.
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
