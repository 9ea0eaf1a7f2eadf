"""The BERT family (BERT, MiniLM): names and options of Hugging Face checkpoints, to and from ours.

All Hugging Face names of this family are confined to this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leanformer.models.hf import options
from leanformer.shapes.encoder import EncoderConfig, LayerShape

MODEL_TYPES = ("bert",)

# (theirs, ours): in a template, {i} is the layer number.
_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "encoder.embeddings.word.weight",
    "embeddings.position_embeddings.weight": "encoder.embeddings.position.weight",
    "embeddings.token_type_embeddings.weight": "encoder.embeddings.token_type.weight",
    "embeddings.LayerNorm.weight": "encoder.embeddings.norm.weight",
    "embeddings.LayerNorm.bias": "encoder.embeddings.norm.bias",
}
_LAYER = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "ffn.up",
    "output.dense": "ffn.down",
    "output.LayerNorm": "ffn_norm",
}
# Pre-training heads, and buffers in old checkpoints; they are not used.
_IGNORED = re.compile(r"^(cls\.|.*position_ids$)")


def read_config(theirs: Mapping[str, Any], labels: int) -> EncoderConfig:
    """Convert their `config.json` to ours. Raises `CheckpointError` for an unsupported option."""
    options.refuse_decoders(theirs)
    options.refuse_relative_kinds(theirs)
    hidden, heads = theirs.get("hidden_size", 768), theirs.get("num_attention_heads", 12)
    shape = LayerShape(heads=heads, ffn=theirs.get("intermediate_size", 3072))
    padding = theirs.get("pad_token_id", 0)
    return EncoderConfig(
        vocabulary=theirs.get("vocab_size", 30522),
        hidden=hidden,
        head_size=options.head_size(hidden, heads),
        layers=(shape,) * theirs.get("num_hidden_layers", 12),
        positions=theirs.get("max_position_embeddings", 512),
        token_types=theirs.get("type_vocab_size", 2),
        activation=options.activation(theirs, "hidden_act"),
        norm_epsilon=theirs.get("layer_norm_eps", 1e-12),
        dropout=theirs.get("hidden_dropout_prob", 0.1),
        attention_dropout=theirs.get("attention_probs_dropout_prob", 0.1),
        padding_id=0 if padding is None else padding,
        labels=labels,
    )


def write_config(ours: EncoderConfig) -> dict[str, Any]:
    """Convert our configuration to their `config.json`. Raises `CheckpointError` if stock BERT has no such shape."""
    options.need_uniform(ours)
    return {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "vocab_size": ours.vocabulary,
        "hidden_size": ours.hidden,
        "num_hidden_layers": len(ours.layers),
        "num_attention_heads": ours.layers[0].heads,
        "intermediate_size": ours.layers[0].ffn,
        "hidden_act": options.WRITTEN_ACTIVATIONS[ours.activation],
        "hidden_dropout_prob": ours.dropout,
        "attention_probs_dropout_prob": ours.attention_dropout,
        "max_position_embeddings": ours.positions,
        "type_vocab_size": ours.token_types,
        "layer_norm_eps": ours.norm_epsilon,
        "pad_token_id": ours.padding_id,
    }


def names(config: EncoderConfig) -> dict[str, str]:
    """Their name -> our name, for every weight of a sequence classifier."""
    result = {f"bert.{theirs}": ours for theirs, ours in _EMBEDDINGS.items()}
    result |= options.parts(options.in_layers("bert.encoder.layer.{i}", _LAYER, len(config.layers)))
    return result | options.parts({"bert.pooler.dense": "head.pooler", "classifier": "head.classifier"}.items())


def normalise(name: str) -> str | None:
    """The weight's name as in a current sequence classifier; None for a weight to ignore.

    Checkpoints of the bare encoder lack the `bert.` prefix, and in those converted from TensorFlow the LayerNorm
    parameters are called gamma and beta.
    """
    if _IGNORED.match(name):
        return None
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
    return name if name.startswith(("bert.", "classifier.")) else f"bert.{name}"
