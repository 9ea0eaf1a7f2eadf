"""The RoBERTa family (RoBERTa, XLM-RoBERTa, CamemBERT): names and options of Hugging Face checkpoints.

It computes the same as BERT, with two exceptions. Positions are counted from the padding id + 1, so the position table
has that many rows more than the longest input; and the head has its own dense layer. All Hugging Face names of this
family are confined to this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leanformer.models.hf import options
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.shapes.head import HeadShape

MODEL_TYPES = ("roberta", "xlm-roberta", "camembert")
_CLASSES = {"roberta": "Roberta", "xlm-roberta": "XLMRoberta", "camembert": "Camembert"}
_VOCABULARIES = {"roberta": 50265, "xlm-roberta": 30522, "camembert": 30522}

# (theirs, ours)
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
_HEAD = {"classifier.dense": "head.pooler", "classifier.out_proj": "head.classifier"}
# The pre-training head, the pooler of a bare encoder, which no classifier uses, and buffers in old checkpoints.
_IGNORED = re.compile(r"^(lm_head\.|(roberta\.)?pooler\.|.*position_ids$)")


def read_config(theirs: Mapping[str, Any], labels: int) -> EncoderConfig:
    """Convert their `config.json` to ours. Raises `CheckpointError` for an unsupported option."""
    options.refuse_decoders(theirs)
    options.refuse_relative_kinds(theirs)
    family = theirs.get("model_type", "roberta")
    hidden, heads = theirs.get("hidden_size", 768), theirs.get("num_attention_heads", 12)
    shape = LayerShape(heads=heads, ffn=theirs.get("intermediate_size", 3072))
    padding = theirs.get("pad_token_id", 1)
    padding = 1 if padding is None else padding
    return EncoderConfig(
        vocabulary=theirs.get("vocab_size", _VOCABULARIES[family]),
        hidden=hidden,
        head_size=options.head_size(hidden, heads),
        layers=(shape,) * theirs.get("num_hidden_layers", 12),
        positions=theirs.get("max_position_embeddings", 512) - (padding + 1),
        token_types=theirs.get("type_vocab_size", 2),
        activation=options.activation(theirs, "hidden_act"),
        norm_epsilon=theirs.get("layer_norm_eps", 1e-12),
        dropout=theirs.get("hidden_dropout_prob", 0.1),
        attention_dropout=theirs.get("attention_probs_dropout_prob", 0.1),
        padding_id=padding,
        labels=labels,
        family=family,
        position_offset=padding + 1,
        head=HeadShape(dropout=theirs.get("classifier_dropout"), drops_input=True),
    )


def write_config(ours: EncoderConfig) -> dict[str, Any]:
    """Convert our configuration to their `config.json`. Raises `CheckpointError` if the family has no such shape."""
    options.need_uniform(ours)
    return {
        "architectures": [f"{_CLASSES[ours.family]}ForSequenceClassification"],
        "model_type": ours.family,
        "vocab_size": ours.vocabulary,
        "hidden_size": ours.hidden,
        "num_hidden_layers": len(ours.layers),
        "num_attention_heads": ours.layers[0].heads,
        "intermediate_size": ours.layers[0].ffn,
        "hidden_act": options.WRITTEN_ACTIVATIONS[ours.activation],
        "hidden_dropout_prob": ours.dropout,
        "attention_probs_dropout_prob": ours.attention_dropout,
        "classifier_dropout": ours.head.dropout,
        "max_position_embeddings": ours.positions + ours.position_offset,
        "type_vocab_size": ours.token_types,
        "layer_norm_eps": ours.norm_epsilon,
        "pad_token_id": ours.padding_id,
    }


def names(config: EncoderConfig) -> dict[str, str]:
    """Their name -> our name, for every weight of a sequence classifier."""
    result = {f"roberta.{theirs}": ours for theirs, ours in _EMBEDDINGS.items()}
    result |= options.parts(options.in_layers("roberta.encoder.layer.{i}", _LAYER, len(config.layers)))
    return result | options.parts(_HEAD.items())


def normalise(name: str) -> str | None:
    """The weight's name as in a current sequence classifier; None for a weight to ignore."""
    if _IGNORED.match(name):
        return None
    return name if name.startswith(("roberta.", "classifier.")) else f"roberta.{name}"
