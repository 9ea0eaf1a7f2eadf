"""The shape of an encoder classifier, as plain data; `encoder.json` in an artifact of format "encoder"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from leanformer.errors import CheckpointError

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")


@dataclass(frozen=True)
class LayerShape:
    """One layer: its number of attention heads and the width of its feed-forward block."""

    heads: int
    ffn: int


@dataclass(frozen=True)
class EncoderConfig:
    """A post-norm Transformer encoder of the BERT kind with a classification head.

    Every layer has its own shape, so heads * head_size need not equal `hidden`.

    Attributes:
        vocabulary: rows of the word table.
        hidden: width of the residual stream.
        head_size: width of one attention head, the same in all layers.
        layers: the shape of each layer, first to last.
        positions: rows of the position table; no input may be longer.
        token_types: rows of the token-type table.
        activation: of the feed-forward blocks, one of `ACTIVATIONS` ("gelu" is the exact one).
        norm_epsilon: added to the variance in every LayerNorm.
        dropout, attention_dropout: used in training only.
        padding_id: id that fills up short rows; masked everywhere.
        labels: number of logits.
    """

    vocabulary: int
    hidden: int
    head_size: int
    layers: tuple[LayerShape, ...]
    positions: int
    token_types: int
    activation: str
    norm_epsilon: float
    dropout: float
    attention_dropout: float
    padding_id: int
    labels: int

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise CheckpointError(f"unknown activation {self.activation!r}; one of {', '.join(ACTIVATIONS)}")
        if not self.layers:
            raise CheckpointError("an encoder needs at least one layer")
        if any(layer.heads < 1 or layer.ffn < 1 for layer in self.layers):
            raise CheckpointError("every layer needs at least one head and one feed-forward unit")

    @property
    def is_uniform(self) -> bool:
        """Whether stock `transformers` can hold this shape: equal layers, and heads that span the hidden width."""
        return len(set(self.layers)) == 1 and self.layers[0].heads * self.head_size == self.hidden

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"layers": [asdict(layer) for layer in self.layers]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EncoderConfig:
        """Raises `CheckpointError` on missing or unknown keys."""
        try:
            return cls(**{**value, "layers": tuple(LayerShape(**layer) for layer in value["layers"])})
        except (TypeError, KeyError) as error:
            raise CheckpointError(f"not an encoder configuration: {error}") from error
