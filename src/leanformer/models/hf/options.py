"""Options shared by the families' `config.json` files, and helpers to name their weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leanformer.errors import CheckpointError
from leanformer.shapes.encoder import EncoderConfig

ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}
WRITTEN_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu", "tanh": "tanh"}


def activation(
    theirs: Mapping[str, Any], key: str, default: str = "gelu", known: Mapping[str, str] = ACTIVATIONS
) -> str:
    """Our name of the activation under `key`. Raises `CheckpointError` for an unsupported activation."""
    name = theirs.get(key, default)
    if name not in known:
        raise CheckpointError(f"{key} {name!r} is not supported; one of {', '.join(known)}")
    return known[name]


def head_size(hidden: int, heads: int) -> int:
    """The width of a head. Raises `CheckpointError` if the hidden width is not a multiple of the number of heads."""
    if hidden % heads:
        raise CheckpointError(f"hidden_size {hidden} is not a multiple of num_attention_heads {heads}")
    return hidden // heads


def refuse_decoders(theirs: Mapping[str, Any]) -> None:
    if theirs.get("is_decoder") or theirs.get("add_cross_attention"):
        raise CheckpointError("a decoder (is_decoder, add_cross_attention) is not an encoder")


def refuse_relative_kinds(theirs: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` for kinds of positions that old checkpoints may have and `transformers` has dropped."""
    kind = theirs.get("position_embedding_type", "absolute")
    if kind not in ("absolute", None):
        raise CheckpointError(f"position_embedding_type {kind!r} is not supported, only 'absolute'")


def need_uniform(ours: EncoderConfig) -> None:
    """Raise `CheckpointError` if no stock model has such a shape."""
    if not ours.is_uniform:
        raise CheckpointError(
            "stock transformers needs equal layers whose heads span the hidden width, this model has "
            f"hidden {ours.hidden}, head size {ours.head_size}, layers {[(s.heads, s.ffn) for s in ours.layers]}\n"
            "  remedy: keep it as a Leanformer artifact, or write it as ONNX"
        )


def parts(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pairs (their module, our module) expanded to the names of weights and biases."""
    return {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in pairs for part in ("weight", "bias")}


def in_layers(their_prefix: str, layer: Mapping[str, str], depth: int) -> list[tuple[str, str]]:
    """Pairs (theirs, ours) for the modules of all `depth` layers, from those of one; `their_prefix` contains {i}."""
    return [
        (f"{their_prefix.format(i=index)}.{theirs}", f"encoder.layers.{index}.{ours}")
        for index in range(depth)
        for theirs, ours in layer.items()
    ]
