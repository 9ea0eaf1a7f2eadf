"""The DistilBERT family: names and options of Hugging Face checkpoints, to and from ours.

BERT without token types, with a fixed norm epsilon and a ReLU in the head. All Hugging Face names of this family are
confined to this file. Sinusoidal positions need no special handling: the checkpoint stores them as a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leanformer.models.hf import options
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.shapes.head import HeadShape

MODEL_TYPES = ("distilbert",)
_EPSILON = 1e-12  # not configurable in theirs

# (theirs, ours)
_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "encoder.embeddings.word.weight",
    "embeddings.position_embeddings.weight": "encoder.embeddings.position.weight",
    "embeddings.LayerNorm.weight": "encoder.embeddings.norm.weight",
    "embeddings.LayerNorm.bias": "encoder.embeddings.norm.bias",
}
_LAYER = {
    "attention.q_lin": "attention.query",
    "attention.k_lin": "attention.key",
    "attention.v_lin": "attention.value",
    "attention.out_lin": "attention.output",
    "sa_layer_norm": "attention_norm",
    "ffn.lin1": "ffn.up",
    "ffn.lin2": "ffn.down",
    "output_layer_norm": "ffn_norm",
}
_HEAD = {"pre_classifier": "head.pooler", "classifier": "head.classifier"}
# The pre-training head, and buffers in old checkpoints.
_IGNORED = re.compile(r"^(vocab_(transform|layer_norm|projector)\.|.*position_ids$)")


def read_config(theirs: Mapping[str, Any], labels: int) -> EncoderConfig:
    """Convert their `config.json` to ours. Raises `CheckpointError` for an unsupported option."""
    hidden, heads = theirs.get("dim", 768), theirs.get("n_heads", 12)
    shape = LayerShape(heads=heads, ffn=theirs.get("hidden_dim", 3072))
    padding = theirs.get("pad_token_id", 0)
    return EncoderConfig(
        vocabulary=theirs.get("vocab_size", 30522),
        hidden=hidden,
        head_size=options.head_size(hidden, heads),
        layers=(shape,) * theirs.get("n_layers", 6),
        positions=theirs.get("max_position_embeddings", 512),
        token_types=0,
        activation=options.activation(theirs, "activation"),
        norm_epsilon=_EPSILON,
        dropout=theirs.get("dropout", 0.1),
        attention_dropout=theirs.get("attention_dropout", 0.1),
        padding_id=0 if padding is None else padding,
        labels=labels,
        family="distilbert",
        head=HeadShape(activation="relu", dropout=theirs.get("seq_classif_dropout", 0.2)),
    )


def write_config(ours: EncoderConfig) -> dict[str, Any]:
    """Convert our configuration to their `config.json`. Raises `CheckpointError` if the family has no such shape."""
    options.need_uniform(ours)
    return {
        "architectures": ["DistilBertForSequenceClassification"],
        "model_type": "distilbert",
        "vocab_size": ours.vocabulary,
        "dim": ours.hidden,
        "n_layers": len(ours.layers),
        "n_heads": ours.layers[0].heads,
        "hidden_dim": ours.layers[0].ffn,
        "activation": options.WRITTEN_ACTIVATIONS[ours.activation],
        "dropout": ours.dropout,
        "attention_dropout": ours.attention_dropout,
        "seq_classif_dropout": ours.head.dropout,
        "max_position_embeddings": ours.positions,
        "pad_token_id": ours.padding_id,
    }


def names(config: EncoderConfig) -> dict[str, str]:
    """Their name -> our name, for every weight of a sequence classifier."""
    result = {f"distilbert.{theirs}": ours for theirs, ours in _EMBEDDINGS.items()}
    result |= options.parts(options.in_layers("distilbert.transformer.layer.{i}", _LAYER, len(config.layers)))
    return result | options.parts(_HEAD.items())


def normalise(name: str) -> str | None:
    """The weight's name as in a current sequence classifier; None for a weight to ignore."""
    if _IGNORED.match(name):
        return None
    return name if name.startswith(("distilbert.", "pre_classifier.", "classifier.")) else f"distilbert.{name}"
