"""The MPNet family: names and options of Hugging Face checkpoints, to and from ours.

BERT without token types, with positions counted from 2 and, in addition, relative position biases shared by all
layers. All Hugging Face names of this family are confined to this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leanformer.errors import CheckpointError
from leanformer.models.hf import options
from leanformer.shapes.encoder import EncoderConfig, LayerShape, RelativeBias
from leanformer.shapes.head import HeadShape

MODEL_TYPES = ("mpnet",)
# Hard-coded in theirs, regardless of `pad_token_id` and `relative_attention_num_buckets`: id 1 gets no position, the
# others are counted from row 2, and distances fall into 32 buckets.
_PADDING, _OFFSET, _BUCKETS, _MAX_DISTANCE = 1, 2, 32, 128

# (theirs, ours)
_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "encoder.embeddings.word.weight",
    "embeddings.position_embeddings.weight": "encoder.embeddings.position.weight",
    "embeddings.LayerNorm.weight": "encoder.embeddings.norm.weight",
    "embeddings.LayerNorm.bias": "encoder.embeddings.norm.bias",
    "encoder.relative_attention_bias.weight": "encoder.bias.relative.weight",
}
_LAYER = {
    "attention.attn.q": "attention.query",
    "attention.attn.k": "attention.key",
    "attention.attn.v": "attention.value",
    "attention.attn.o": "attention.output",
    "attention.LayerNorm": "attention_norm",
    "intermediate.dense": "ffn.up",
    "output.dense": "ffn.down",
    "output.LayerNorm": "ffn_norm",
}
_HEAD = {"classifier.dense": "head.pooler", "classifier.out_proj": "head.classifier"}
# The pre-training head, the pooler of a bare encoder, which no classifier uses, and buffers in old checkpoints.
_IGNORED = re.compile(r"^(lm_head\.|(mpnet\.)?pooler\.|.*position_ids$)")


def read_config(theirs: Mapping[str, Any], labels: int) -> EncoderConfig:
    """Convert their `config.json` to ours. Raises `CheckpointError` for an unsupported option."""
    buckets = theirs.get("relative_attention_num_buckets", _BUCKETS)
    if buckets != _BUCKETS:
        raise CheckpointError(f"relative_attention_num_buckets {buckets} is not supported, only {_BUCKETS}")
    padding = theirs.get("pad_token_id", _PADDING)
    if padding not in (_PADDING, None):
        raise CheckpointError(f"pad_token_id {padding} is not supported, only {_PADDING}")
    hidden, heads = theirs.get("hidden_size", 768), theirs.get("num_attention_heads", 12)
    shape = LayerShape(heads=heads, ffn=theirs.get("intermediate_size", 3072))
    return EncoderConfig(
        vocabulary=theirs.get("vocab_size", 30527),
        hidden=hidden,
        head_size=options.head_size(hidden, heads),
        layers=(shape,) * theirs.get("num_hidden_layers", 12),
        positions=theirs.get("max_position_embeddings", 512) - _OFFSET,
        token_types=0,
        activation=options.activation(theirs, "hidden_act"),
        norm_epsilon=theirs.get("layer_norm_eps", 1e-12),
        dropout=theirs.get("hidden_dropout_prob", 0.1),
        attention_dropout=theirs.get("attention_probs_dropout_prob", 0.1),
        padding_id=_PADDING,
        labels=labels,
        family="mpnet",
        position_offset=_OFFSET,
        relative_bias=RelativeBias(_BUCKETS, _MAX_DISTANCE, heads),
        head=HeadShape(drops_input=True),
    )


def write_config(ours: EncoderConfig) -> dict[str, Any]:
    """Convert our configuration to their `config.json`. Raises `CheckpointError` if the family has no such shape."""
    options.need_uniform(ours)
    return {
        "architectures": ["MPNetForSequenceClassification"],
        "model_type": "mpnet",
        "vocab_size": ours.vocabulary,
        "hidden_size": ours.hidden,
        "num_hidden_layers": len(ours.layers),
        "num_attention_heads": ours.layers[0].heads,
        "intermediate_size": ours.layers[0].ffn,
        "hidden_act": options.WRITTEN_ACTIVATIONS[ours.activation],
        "hidden_dropout_prob": ours.dropout,
        "attention_probs_dropout_prob": ours.attention_dropout,
        "max_position_embeddings": ours.positions + ours.position_offset,
        "relative_attention_num_buckets": _BUCKETS,
        "layer_norm_eps": ours.norm_epsilon,
        "pad_token_id": ours.padding_id,
    }


def names(config: EncoderConfig) -> dict[str, str]:
    """Their name -> our name, for every weight of a sequence classifier."""
    result = {f"mpnet.{theirs}": ours for theirs, ours in _EMBEDDINGS.items()}
    result |= options.parts(options.in_layers("mpnet.encoder.layer.{i}", _LAYER, len(config.layers)))
    return result | options.parts(_HEAD.items())


def normalise(name: str) -> str | None:
    """The weight's name as in a current sequence classifier; None for a weight to ignore."""
    if _IGNORED.match(name):
        return None
    return name if name.startswith(("mpnet.", "classifier.")) else f"mpnet.{name}"
