"""The mapped families beside BERT: how a small stock model of each is made, and the variants that are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import transformers
from transformers import PreTrainedModel

from leanformer.shapes.encoder import EncoderConfig
from tests.making.tiny import roughen
from tests.parity.comparing import Inputs, mixed_inputs, scale_tables

LENGTH = 24  # of the longest row
_SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
}
_LIKE_BERT: dict[str, Any] = _SIZES | {"max_position_embeddings": LENGTH + 2, "type_vocab_size": 1}


@dataclass(frozen=True)
class Family:
    """A family's class names in `transformers`, options of a small model, and further variants by name."""

    stock: str
    options: dict[str, Any]
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)

    def model(self, variant: str = "plain", seed: int = 1, **changes: Any) -> PreTrainedModel:
        """A sequence classifier in eval mode with weights of standard deviation 0.2 and random norms and biases."""
        chosen: dict[str, Any] = {} if variant == "plain" else self.variants[variant]
        options = {"num_labels": 3, "attn_implementation": "eager"} | self.options | chosen | changes
        scale = options.pop("table_scale", 1.0)
        config = getattr(transformers, f"{self.stock}Config")(**options)
        model = getattr(transformers, f"{self.stock}ForSequenceClassification")(config)
        roughen(model, seed)
        scale_tables(model, scale)
        return model.eval()


def inputs_for(config: EncoderConfig) -> Inputs:
    """Rows for a model of ours: padded with its padding id, and with every token type that it has."""
    return mixed_inputs(padding_id=config.padding_id, token_types=config.token_types, positions=LENGTH)


_NORMS = {
    "small epsilon": {"layer_norm_eps": 1e-12, "table_scale": 0.01},
    "middle epsilon": {"layer_norm_eps": 1e-5, "table_scale": 0.01},
    "large epsilon": {"layer_norm_eps": 1e-2},
}
_ROBERTA = {
    "gelu_new": {"hidden_act": "gelu_new"},
    "relu": {"hidden_act": "relu"},
    "other padding": {"pad_token_id": 5, "max_position_embeddings": LENGTH + 6},
    "one head, one logit": {"num_attention_heads": 1, "num_labels": 1, "num_hidden_layers": 1},
}

_DISTILBERT = {
    "vocab_size": 60, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 40, "max_position_embeddings": LENGTH,
}  # fmt: skip
_MODERNBERT = _SIZES | {
    "num_hidden_layers": 5,
    "max_position_embeddings": LENGTH,
    "local_attention": 9,  # four tokens to either side; an odd number is rounded down
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}

FAMILIES = {
    "roberta": Family("Roberta", _LIKE_BERT, _ROBERTA | _NORMS | {"two types": {"type_vocab_size": 2}}),
    "xlm-roberta": Family("XLMRoberta", _LIKE_BERT),
    "camembert": Family("Camembert", _LIKE_BERT),
    "distilbert": Family(
        "DistilBert",
        _DISTILBERT,
        {
            "relu": {"activation": "relu"},
            "sinusoidal": {"sinusoidal_pos_embds": True},
            "other padding": {"pad_token_id": 5},
            "small tables": {"table_scale": 0.01},
            "one head, one logit": {"n_heads": 1, "num_labels": 1, "n_layers": 1},
        },
    ),
    "electra": Family(
        "Electra",
        _LIKE_BERT | {"embedding_size": 12, "max_position_embeddings": LENGTH, "type_vocab_size": 3},
        _NORMS
        | {
            "no projection": {"embedding_size": 32},
            "relu": {"hidden_act": "relu"},
            "other padding": {"pad_token_id": 5},
            "one head, one logit": {"num_attention_heads": 1, "num_labels": 1, "num_hidden_layers": 1},
        },
    ),
    "mpnet": Family(
        "MPNet",
        _SIZES | {"max_position_embeddings": LENGTH + 2},
        _NORMS
        | {
            "gelu_new": {"hidden_act": "gelu_new"},
            "one head, one logit": {"num_attention_heads": 1, "num_labels": 1, "num_hidden_layers": 1},
        },
    ),
    "modernbert": Family(
        "ModernBert",
        _MODERNBERT,
        {
            "mean": {"classifier_pooling": "mean"},
            "biases": {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True},
            "attention biases": {"attention_bias": True},
            "feed-forward biases": {"mlp_bias": True},
            "last layer global": {"num_hidden_layers": 4},
            "every second global": {"layer_types": ["full_attention", "sliding_attention"] * 2, "num_hidden_layers": 4},
            "all local": {"layer_types": ["sliding_attention"] * 3, "num_hidden_layers": 3},
            "all global": {"layer_types": ["full_attention"] * 2, "num_hidden_layers": 2},
            "window beyond the rows": {"local_attention": 128},
            "other angles": {
                "rope_parameters": {
                    "full_attention": {"rope_type": "default", "rope_theta": 500.0},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
                },
            },
            "large epsilon": {"norm_eps": 1e-2},
            "small epsilon": {"norm_eps": 1e-12, "table_scale": 0.01},
            "relu": {"hidden_activation": "relu", "classifier_activation": "gelu_new"},
            "one layer, one logit": {"num_labels": 1, "num_hidden_layers": 1, "classifier_pooling": "mean"},
        },
    ),
}
CASES = [(name, variant) for name, family in FAMILIES.items() for variant in ("plain", *family.variants)]
