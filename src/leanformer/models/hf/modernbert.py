"""The ModernBERT family: names and options of Hugging Face checkpoints, to and from ours.

Pre-norm layers with gated feed-forward blocks and rotary positions, mostly without biases; layers with local attention
alternate with layers of global attention (Warner et al. 2024). All Hugging Face names of this family are confined to
this file.

Theirs has more dropout options than ours. The dropout of the feed-forward blocks is read as that of the residual sums;
it matters only in training and is zero in the published models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leanformer.errors import CheckpointError
from leanformer.models.hf import options
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from leanformer.shapes.head import HeadShape

MODEL_TYPES = ("modernbert",)
_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_HEAD_ACTIVATIONS = options.ACTIVATIONS | {"tanh": "tanh"}

# (theirs, ours), for modules with an optional bias; one of theirs may hold several of ours, stacked by rows.
_LAYER: dict[str, tuple[str, tuple[str, ...]]] = {
    "attn_norm": ("norm", ("attention_norm",)),
    "attn.Wqkv": ("attention", ("attention.query", "attention.key", "attention.value")),
    "attn.Wo": ("attention", ("attention.output",)),
    "mlp_norm": ("norm", ("ffn_norm",)),
    "mlp.Wi": ("ffn", ("ffn.gate", "ffn.up")),
    "mlp.Wo": ("ffn", ("ffn.down",)),
}
_AROUND: dict[str, tuple[str, tuple[str, ...]]] = {
    "model.embeddings.norm": ("norm", ("encoder.embeddings.norm",)),
    "model.final_norm": ("norm", ("encoder.final_norm",)),
    "head.dense": ("head", ("head.pooler",)),
    "head.norm": ("norm", ("head.norm",)),
    "classifier": ("always", ("head.classifier",)),
}
# A token classifier of this family also has that dense layer, which our token head lacks.
DENSE_TOKEN_HEAD = True
# The pre-training output; a classifier starts from the dense layer and norm before it.
_IGNORED = re.compile(r"^decoder\.")


def read_config(theirs: Mapping[str, Any], labels: int) -> EncoderConfig:
    """Convert their `config.json` to ours. Raises `CheckpointError` for an unsupported option."""
    hidden, heads = theirs.get("hidden_size", 768), theirs.get("num_attention_heads", 12)
    pooling = theirs.get("classifier_pooling", "cls")
    if pooling not in ("cls", "mean"):
        raise CheckpointError(f"classifier_pooling {pooling!r} is not supported; one of cls, mean")
    padding = theirs.get("pad_token_id", 50283)
    return EncoderConfig(
        vocabulary=theirs.get("vocab_size", 50368),
        hidden=hidden,
        head_size=options.head_size(hidden, heads),
        layers=_layers(theirs, heads),
        positions=theirs.get("max_position_embeddings", 8192),
        token_types=0,
        activation=options.activation(theirs, "hidden_activation"),
        norm_epsilon=theirs.get("norm_eps", 1e-5),
        dropout=theirs.get("mlp_dropout", 0.0),
        attention_dropout=theirs.get("attention_dropout", 0.0),
        padding_id=0 if padding is None else padding,
        labels=labels,
        family="modernbert",
        position_table=False,
        norm_first=True,
        gated_ffn=True,
        attention_bias=theirs.get("attention_bias", False),
        ffn_bias=theirs.get("mlp_bias", False),
        norm_bias=theirs.get("norm_bias", False),
        head=HeadShape(
            pooling="first" if pooling == "cls" else "mean",
            activation=options.activation(theirs, "classifier_activation", known=_HEAD_ACTIVATIONS),
            bias=theirs.get("classifier_bias", False),
            norm=True,
            dropout=theirs.get("classifier_dropout", 0.0),
        ),
    )


def _layers(theirs: Mapping[str, Any], heads: int) -> tuple[LayerShape, ...]:
    """The kinds of layers, from the current options (`layer_types`, `rope_parameters`) or those of 2024."""
    depth, every = theirs.get("num_hidden_layers", 22), theirs.get("global_attn_every_n_layers", 3)
    types = theirs.get("layer_types") or [_LOCAL if i % every else _GLOBAL for i in range(depth)]
    if len(types) != depth or not set(types) <= {_GLOBAL, _LOCAL}:
        raise CheckpointError(f"layer_types {types} are not {depth} of {_GLOBAL}, {_LOCAL}")
    if theirs.get("rope_scaling"):
        raise CheckpointError(f"rope_scaling {theirs['rope_scaling']} is not supported")
    rope = theirs.get("rope_parameters") or {}
    bases = {}
    for kind, old, default in ((_GLOBAL, "global_rope_theta", 160_000.0), (_LOCAL, "local_rope_theta", 10_000.0)):
        given = rope.get(kind) or {}
        if given.get("rope_type", "default") != "default":
            raise CheckpointError(f"rope_type {given['rope_type']!r} is not supported, only 'default'")
        bases[kind] = float(given.get("rope_theta", theirs.get(old, default)))
    # Half of the window is on either side.
    windows = {_GLOBAL: None, _LOCAL: theirs.get("local_attention", 128) // 2}
    width = theirs.get("intermediate_size", 1152)
    return tuple(
        LayerShape(heads, width, window=windows[kind], rotary_base=bases[kind], attention_norm=index > 0)
        for index, kind in enumerate(types)
    )


def write_config(ours: EncoderConfig) -> dict[str, Any]:
    """Convert our configuration to their `config.json`. Raises `CheckpointError` if the family has no such shape."""
    options.need_uniform(ours)
    types = [_GLOBAL if layer.window is None else _LOCAL for layer in ours.layers]
    bases = dict(zip(types, (layer.rotary_base for layer in ours.layers), strict=True))
    return {
        "architectures": ["ModernBertForSequenceClassification"],
        "model_type": "modernbert",
        "vocab_size": ours.vocabulary,
        "hidden_size": ours.hidden,
        "num_hidden_layers": len(ours.layers),
        "num_attention_heads": ours.layers[0].heads,
        "intermediate_size": ours.layers[0].ffn,
        "hidden_activation": options.WRITTEN_ACTIVATIONS[ours.activation],
        "max_position_embeddings": ours.positions,
        "norm_eps": ours.norm_epsilon,
        "norm_bias": ours.norm_bias,
        "attention_bias": ours.attention_bias,
        "mlp_bias": ours.ffn_bias,
        "attention_dropout": ours.attention_dropout,
        "embedding_dropout": ours.dropout,
        "mlp_dropout": ours.dropout,
        "layer_types": types,
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": base} for kind, base in bases.items()},
        "local_attention": 2 * next((layer.window for layer in ours.layers if layer.window is not None), 64),
        "classifier_pooling": "cls" if ours.head.pooling == "first" else "mean",
        "classifier_activation": options.WRITTEN_ACTIVATIONS[ours.head.activation],
        "classifier_bias": ours.head.bias,
        "classifier_dropout": ours.head.dropout,
        "pad_token_id": ours.padding_id,
    }


def names(config: EncoderConfig) -> dict[str, str | tuple[str, ...]]:
    """Their name -> our name or names, for every weight of a sequence classifier."""
    result: dict[str, str | tuple[str, ...]] = {
        "model.embeddings.tok_embeddings.weight": "encoder.embeddings.word.weight"
    }
    modules = {theirs: (kind, ours) for theirs, (kind, ours) in _AROUND.items()}
    for index, shape in enumerate(config.layers):
        for theirs, (kind, ours) in _LAYER.items():
            if shape.attention_norm or theirs != "attn_norm":
                modules[f"model.layers.{index}.{theirs}"] = kind, tuple(f"encoder.layers.{index}.{key}" for key in ours)
    has_bias = {
        "attention": config.attention_bias, "ffn": config.ffn_bias, "norm": config.norm_bias,
        "head": config.head.bias, "always": True,
    }  # fmt: skip
    for theirs, (kind, ours) in modules.items():
        for part in ("weight", "bias") if has_bias[kind] else ("weight",):
            result[f"{theirs}.{part}"] = tuple(f"{key}.{part}" for key in ours)
    return result


def normalise(name: str) -> str | None:
    """The weight's name as in a current sequence classifier; None for a weight to ignore."""
    if _IGNORED.match(name):
        return None
    return name if name.startswith(("model.", "head.", "classifier.")) else f"model.{name}"
